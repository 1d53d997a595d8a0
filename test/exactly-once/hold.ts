/** Plays random sequences, and looks whether all held. @module */
import * as fc from "fast-check";
import { expect, inject } from "vitest";
import type { World } from "./client.ts";
import { violations } from "./invariants.ts";
import { play } from "./player.ts";
import type { Sequence } from "./steps.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where sequences begin: random, or the variable `SEQUENCE_SEED`. */
    seed: number;
  }
}

/**
 * Plays `count` sequences against a server, in `lanes` side by side, each in a session of its own. A failure
 * names its seed and path; there is no shrinking, since what fails here is a race.
 */
export async function hold(
  of: fc.Arbitrary<Sequence>,
  world: World,
  lanes: number,
  count: number,
): Promise<void> {
  const seed = inject("seed");
  console.log(`sequences from SEQUENCE_SEED=${seed}`);
  const lane = (index: number): Promise<void> =>
    fc.assert(
      fc.asyncProperty(of, async (sequence) => {
        expect(violations(await play(sequence, world))).toEqual([]);
      }),
      { seed: seed + index, numRuns: Math.ceil(count / lanes), endOnFailure: true },
    );
  await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
}
