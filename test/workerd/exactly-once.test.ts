/** Random sequences in which the object is evicted, or reset, under its client. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import type { World } from "../exactly-once/client.ts";
import { hold } from "../exactly-once/hold.ts";
import { sequences } from "../exactly-once/steps.ts";
import { fetchWorker, inspectObject, stubOf } from "./client.ts";
import { countsOf } from "./index.ts";

test(
  "every message arrives once and in order, whatever the client does while its object is put to sleep",
  {
    timeout: 180_000,
  },
  async () => {
    let lives = 0;
    const world: World = {
      hasLimits: false,
      fetch: (path, init) => fetchWorker(`/calm${path}`, init),
      async inspect(session) {
        const { fetches, alarms, socketMessages } = countsOf(session);
        const stored = await inspectObject(stubOf("calm", session));
        lives += countsOf(session).lives;
        return { bootId: "", fetches, alarms, socketMessages, ...stored };
      },
      disturb(how, session) {
        const stub = stubOf("calm", session);
        if (how === "evict") return evictDurableObject(stub);
        // The call is cut off by what it asks for.
        return runInDurableObject(stub, (_, state) => state.abort("test")).catch(() => {});
      },
    };
    await hold(sequences(["evict", "evict", "abort"]), world, 2, 60);
    expect(lives).toBeGreaterThan(100);
  },
);
