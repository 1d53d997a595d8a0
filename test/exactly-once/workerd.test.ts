/**
 * Random sequences on workerd's real storage: per stream, what the client received is exactly what was
 * sent. A failure names its seed; `SEQUENCE_SEED=<seed>` plays the same sequences again.
 */
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { abortObject, inspect } from "../support/back-door.ts";
import { workerd } from "../support/hosts.ts";
import type { Subject } from "../support/subject.ts";
import type { TestServer } from "../support/workerd.ts";
import { violations } from "./invariants.ts";
import type { World } from "./client.ts";
import { play } from "./player.ts";
import { type Disturbance, type Sequence, sequences } from "./steps.ts";

const seed = Number(process.env["SEQUENCE_SEED"] ?? Math.floor(Math.random() * 0x7fff_ffff));
/** Sequences that run side by side, each in a session of its own. */
const LANES = 4;

const hosts: readonly (Subject & { disturbances: readonly Disturbance[] })[] = [
  { ...workerd, disturbances: ["abort"] },
];

/** Limits so narrow that the server itself ends connections all the time. */
const NARROW = {
  HOLDFAST_MAX_STREAM_MS: "1000",
  HOLDFAST_SUPERVISE_INTERVAL_MS: "1000",
  HOLDFAST_KEEPALIVE_INTERVAL_MS: "50",
  HOLDFAST_SEND_TIMEOUT_MS: "100",
  HOLDFAST_QUICK_ANSWER_MS: "0",
};

function worldOf(server: TestServer, hasLimits: boolean): World {
  return {
    hasLimits,
    fetch: (path, init) => fetch(`${server.url}${path}`, init),
    inspect: (session) => inspect(server.url, session),
    disturb: (how, session) => (how === "kill" ? server.restart() : abortObject(server.url, session)),
  };
}

/** Plays `count` sequences, in lanes side by side. Shrinking would not help: what fails here is a race. */
async function hold(of: fc.Arbitrary<Sequence>, world: World, lanes: number, count: number): Promise<void> {
  const lane = (index: number): Promise<void> =>
    fc.assert(
      fc.asyncProperty(of, async (sequence) => {
        expect(violations(await play(sequence, world))).toEqual([]);
      }),
      { seed: seed + index, numRuns: Math.ceil(count / lanes), endOnFailure: true },
    );
  await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
}

describe.each(hosts)("on $name, every message arrives once and in order", ({ start, disturbances }) => {
  let server: TestServer;
  let narrow: TestServer;
  beforeAll(async () => {
    console.log(`sequences from seed ${seed}`);
    [server, narrow] = await Promise.all([start(), start(NARROW)]);
  });
  afterAll(() => Promise.all([server.close(), narrow.close()]));

  test("whatever the client does while its object is reset", { timeout: 180_000 }, () =>
    hold(sequences(disturbances), worldOf(server, false), LANES, 140),
  );

  test("whatever the client does while the server ends its connections", { timeout: 180_000 }, () =>
    hold(sequences(disturbances), worldOf(narrow, true), LANES, 40),
  );

  test("whatever the client does while the process is killed", { timeout: 180_000 }, () =>
    hold(sequences(["kill"]), worldOf(server, false), 1, 24),
  );
});
