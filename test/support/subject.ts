/**
 * What the behaviour suite runs against: the test server on some host, reached by URL alone.
 * @module
 */
import { afterAll, beforeAll } from "vitest";
import { atEndOfFile } from "./end-of-file.ts";
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

interface Shared {
  /** Those `describe`s whose tests have yet to end. */
  users: number;
  started: Promise<TestServer> | undefined;
}

/** By subject and variables, in the file that is running. */
const shared = new Map<Subject, Map<string, Shared>>();

const close = async (one: Shared): Promise<void> => {
  const { started } = one;
  one.started = undefined;
  await (await started)?.close();
};

/** Where some `describe` has no test to run (`-t`), it is never done with its server. */
async function closeLeft(): Promise<void> {
  const left = [...shared.values()].flatMap((ofSubject) => [...ofSubject.values()]);
  shared.clear();
  await Promise.all(left.map(close));
}

/**
 * A server for all tests of the enclosing `describe`, and of every other in the file that wants one with the same
 * variables: to start one is most of what most tests cost.
 */
export function serve(subject: Subject, vars: Readonly<Record<string, string>> = {}): Served {
  if (shared.size === 0) atEndOfFile(closeLeft);
  const key = JSON.stringify(Object.entries(vars).sort());
  const ofSubject = shared.get(subject) ?? new Map<string, Shared>();
  shared.set(subject, ofSubject);
  const one = ofSubject.get(key) ?? { users: 0, started: undefined };
  ofSubject.set(key, one);
  // While tests are collected, before any of them runs.
  one.users += 1;
  let server: TestServer | undefined;
  beforeAll(async () => {
    server = await (one.started ??= subject.start(vars));
  });
  afterAll(async () => {
    one.users -= 1;
    if (one.users === 0) await close(one);
  });
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
