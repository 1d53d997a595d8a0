/**
 * Random sequences on workerd's real storage: per stream, what the client received is exactly what was
 * sent. `SEQUENCE_SEED=<seed>` plays the sequences of an earlier run again. Those with evictions are in
 * `test/workerd/exactly-once.test.ts`, where objects can be evicted.
 */
import { afterAll, beforeAll, describe, test } from "vitest";
import { abortObject, inspect } from "../support/back-door.ts";
import { workerd } from "../support/hosts.ts";
import type { Subject } from "../support/subject.ts";
import type { TestServer } from "../support/workerd.ts";
import type { World } from "./client.ts";
import { hold } from "./hold.ts";
import { NARROW } from "./narrow.ts";
import { type Disturbance, sequences } from "./steps.ts";

/** Hosts, and how a session can die there while its process lives. */
const hosts: readonly (Subject & { resets: readonly Disturbance[] })[] = [{ ...workerd, resets: ["abort"] }];

function worldOf(server: TestServer, hasLimits: boolean): World {
  return {
    hasLimits,
    fetch: (path, init) => fetch(`${server.url}${path}`, init),
    inspect: (session) => inspect(server.url, session),
    disturb: (how, session) => (how === "kill" ? server.restart() : abortObject(server.url, session)),
  };
}

describe.each(hosts)("on $name, every message arrives once and in order", ({ start, resets }) => {
  let server: TestServer;
  let narrow: TestServer;
  beforeAll(async () => {
    [server, narrow] = await Promise.all([start(), start(NARROW)]);
  });
  afterAll(() => Promise.all([server, narrow].map((started) => started?.close())));

  test.runIf(resets.length > 0)(
    "whatever the client does while its object is reset",
    { timeout: 180_000 },
    () => hold(sequences(resets), worldOf(server, false), 4, 160),
  );

  test.runIf(resets.length > 0)(
    "whatever the client does while the server ends its connections",
    { timeout: 180_000 },
    () => hold(sequences(resets), worldOf(narrow, true), 4, 40),
  );

  test("whatever the client does while the process is killed", { timeout: 180_000 }, () =>
    hold(sequences(["kill"]), worldOf(server, false), 1, 24),
  );
});
