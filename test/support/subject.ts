/**
 * What the behaviour suite runs against: the test server on some host, reached by URL alone.
 * @module
 */
import { afterAll, beforeAll } from "vitest";
import type { TestServer } from "./workerd.ts";

export interface Subject {
  readonly name: string;
  /**
   * Starts the test server (the example, `TEST_*` and `HOLDFAST_*` variables as in `test/worker/index.ts`).
   * Rejects with what it printed where it refuses to start.
   */
  start(vars?: Readonly<Record<string, string>>): Promise<TestServer>;
}

/** A server as most tests need it: they do not end it. */
export type Served = Pick<TestServer, "url" | "lines" | "events">;

/** One server for all tests of the enclosing `describe`. */
export function serve(subject: Subject, vars: Readonly<Record<string, string>> = {}): Served {
  let server: TestServer | undefined;
  beforeAll(async () => {
    server = await subject.start(vars);
  });
  afterAll(() => server?.close());
  const running = (): TestServer => {
    if (server === undefined) throw new Error("the server runs only while the tests do");
    return server;
  };
  return {
    get url() {
      return running().url;
    },
    get lines() {
      return running().lines;
    },
    events: () => running().events(),
  };
}
