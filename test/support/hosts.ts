/** The hosts that restarts are tested on, and a server of theirs that a test may kill. @module */
import { afterAll, beforeAll, vi } from "vitest";
import type { Subject } from "./subject.ts";
import { node } from "./node.ts";
import { unpooledFetch } from "./unpooled-fetch.ts";
import { startWorkerd, type TestServer } from "./workerd.ts";

export const workerd: Subject = { name: "workerd", start: (vars = {}) => startWorkerd({ vars }) };

/** Every host, for `describe.each`. */
export const hosts: readonly Subject[] = [workerd, node];

/** A server that tests kill and start again; ended after the last of them. */
export type Mortal = Pick<TestServer, "url" | "lines" | "events" | "kill" | "restart">;

/**
 * One server for all tests of the enclosing `describe`, which run one after another. From then on `fetch`
 * pools nothing: no request fails on a socket to a process that is gone.
 */
export function mortal(host: Subject, vars: Readonly<Record<string, string>> = {}): Mortal {
  let server: TestServer | undefined;
  beforeAll(async () => {
    vi.stubGlobal("fetch", unpooledFetch);
    server = await host.start(vars);
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
    kill: () => running().kill(),
    restart: () => running().restart(),
  };
}
