/**
 * Promise 15, under traffic: objects are replaced by those of the other version, forwards and back, whatever the
 * client does meanwhile and whichever edge it meets. Per stream, what the client received is exactly what was
 * sent, and each call is answered once. `SEQUENCE_SEED=<seed>` plays the sequences of an earlier run again.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { World } from "../exactly-once/client.ts";
import { hold } from "../exactly-once/hold.ts";
import { sequences } from "../exactly-once/steps.ts";
import { inspect } from "../support/back-door.ts";
import { type Gradual, startGradual, type Version } from "./gradual.ts";

/** Requests go to the edges of both versions in turn; what ends an object also changes its version. */
function worldOf(gradual: Gradual): World & { readonly seen: Set<string> } {
  const versions: Version[] = ["old", "new"];
  const at = new Map<string, Version>();
  const seen = new Set<string>();
  let requests = 0;
  let all: Version = "old";
  const next = (version: Version): Version => (version === "old" ? "new" : "old");
  return {
    hasLimits: false,
    seen,
    fetch: (path, init) => fetch(`${gradual.edge(versions[requests++ % 2] ?? "new")}${path}`, init),
    inspect: (session) => inspect(gradual.edge("new"), session),
    async disturb(how, session) {
      const from = how === "kill" ? all : (at.get(session) ?? all);
      seen.add(`${how} ${from}`);
      if (how === "kill") {
        at.clear();
        all = next(from);
        return gradual.restart(all);
      }
      // Before it is done: what disturbs again meanwhile goes on from here.
      at.set(session, next(from));
      return gradual.move(session, next(from));
    },
  };
}

describe("while objects are replaced by those of the other version, every message arrives once and in order", () => {
  let gradual: Gradual;
  let world: ReturnType<typeof worldOf>;
  beforeAll(async () => {
    gradual = await startGradual({ versions: ["old", "new"], objects: "old" });
    world = worldOf(gradual);
  });
  afterAll(() => gradual?.server.close());

  test("whatever the client does, and the edges live on", { timeout: 180_000 }, async () => {
    await hold(sequences(["abort"]), world, 3, 48);
    expect(world.seen).toContain("abort old");
    expect(world.seen).toContain("abort new");
  });

  test("whatever the client does, and the edges die with them", { timeout: 180_000 }, async () => {
    await hold(sequences(["kill"]), world, 1, 8);
    expect(world.seen).toContain("kill old");
    expect(world.seen).toContain("kill new");
  });

  test("and all that came could be read", () => {
    expect(gradual.server.events().filter(({ type }) => type === "wire.unreadable")).toEqual([]);
  });
});
