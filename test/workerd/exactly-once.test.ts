/** Random sequences in which the object is put to sleep under its client. */
import { expect, test } from "vitest";
import type { World } from "../exactly-once/client.ts";
import { hold } from "../exactly-once/hold.ts";
import { sequences } from "../exactly-once/steps.ts";
import { evict, fetchWorker, inspectObject, stubOf } from "./client.ts";
import { countsOf } from "./index.ts";

test(
  "every message arrives once and in order, whatever the client does while its object sleeps",
  {
    timeout: 180_000,
  },
  async () => {
    let played = 0;
    let lives = 0;
    const world: World = {
      hasLimits: false,
      fetch: (path, init) => fetchWorker(`/calm${path}`, init),
      inspect(session) {
        played += 1;
        lives += countsOf(session).lives;
        return inspectObject(stubOf("calm", session));
      },
      async disturb(_, session) {
        try {
          await evict(stubOf("calm", session));
        } catch (error) {
          // It sleeps already.
          if (!String(error).includes("not currently running")) throw error;
        }
      },
    };
    await hold(sequences(["evict"]), world, 4, 40);
    expect(lives).toBeGreaterThan(1.5 * played);
  },
);
