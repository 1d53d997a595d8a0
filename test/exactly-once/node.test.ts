/**
 * The random sequences on Node, whose process is killed under them: what a client received is exactly
 * what was sent. `SEQUENCE_SEED=<seed>` plays the same sequences again.
 */
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inspect } from "../support/back-door.ts";
import { describeBeside } from "../support/beside.ts";
import { node } from "../support/node.ts";
import type { TestServer } from "../support/workerd.ts";
import type { World } from "./client.ts";
import { violations } from "./invariants.ts";
import { NARROW } from "./narrow.ts";
import { play } from "./player.ts";
import { sequences } from "./steps.ts";

const seed = Number(process.env["SEQUENCE_SEED"] ?? Math.floor(Math.random() * 0x7fff_ffff));

const CASES: readonly { name: string; vars: Record<string, string>; hasLimits: boolean }[] = [
  { name: "by default", vars: {}, hasLimits: false },
  { name: "while the server ends its connections all the time", vars: NARROW, hasLimits: true },
];

describeBeside(CASES, "$name", ({ vars, hasLimits }) => {
  let server: TestServer;
  beforeAll(async () => {
    console.log(`sequences from seed ${seed}`);
    server = await node.start(vars);
  });
  afterAll(() => server.close());

  test("every message arrives once and in order, however often the process is killed", async () => {
    const world: World = {
      hasLimits,
      fetch: (path, init) => fetch(`${server.url}${path}`, init),
      inspect: (session) => inspect(server.url, session),
      disturb: () => server.restart(),
    };
    await fc.assert(
      fc.asyncProperty(sequences(["kill"]), async (sequence) => {
        expect(violations(await play(sequence, world))).toEqual([]);
      }),
      { seed, numRuns: 10, endOnFailure: true },
    );
  }, 180_000);
});
