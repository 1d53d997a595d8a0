/**
 * The random sequences against a cluster, behind a balancer that keeps no client to one process, and whose processes are
 * killed under them: the one that has the session, the one that holds a connection, or both. What a client received is
 * exactly what was sent. `SEQUENCE_SEED=<seed>` plays the same sequences again.
 */
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Inspection } from "../support/back-door.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import type { World } from "./client.ts";
import { violations } from "./invariants.ts";
import { play } from "./player.ts";
import { sequences } from "./steps.ts";

const seed = Number(process.env["SEQUENCE_SEED"] ?? Math.floor(Math.random() * 0x7fff_ffff));

let cluster: Cluster;
beforeAll(async () => {
  console.log(`sequences from seed ${seed}`);
  cluster = await startCluster({ vars: { TEST_LEASE_MS: "1500" } });
});
afterAll(() => cluster.close());

/** What the shared database holds, as one process's back door would show it. */
async function inspect(session: string): Promise<Inspection> {
  const rows = await cluster.database.query<{ tbl: string; data: string }>(
    "SELECT tbl, data FROM holdfast.row WHERE session = $1",
    [session],
  );
  const table = (name: string): Record<string, unknown>[] =>
    rows.filter(({ tbl }) => tbl === name).map(({ data }) => JSON.parse(data) as Record<string, unknown>);
  return {
    bootId: "",
    fetches: 0,
    alarms: 0,
    socketMessages: 0,
    sockets: 0,
    alarm: null,
    rowsWritten: 0,
    tables: Object.fromEntries(["session", "stream", "event", "entry"].map((name) => [name, table(name)])),
  };
}

test(
  "every message arrives once and in order, whichever processes are killed",
  { timeout: 300_000 },
  async () => {
    let kills = 0;
    const world: World = {
      hasLimits: false,
      async fetch(path, init) {
        const response = await fetch(`${cluster.url}${path}`, init);
        // What the balancer says of a process that was killed under the request: without one, the connection would break.
        if (response.status === 502) throw new Error("a process was killed under the request");
        return response;
      },
      inspect,
      async disturb() {
        kills += 1;
        const { members } = cluster;
        const victims = [members[kills % 3], ...(kills % 4 === 0 ? [members[(kills + 1) % 3]] : [])];
        await Promise.all(victims.map((victim) => victim?.end("SIGKILL")));
        await Promise.all(victims.map((victim) => victim?.start()));
      },
    };
    await fc.assert(
      fc.asyncProperty(sequences(["kill"]), async (sequence) => {
        expect(violations(await play(sequence, world))).toEqual([]);
      }),
      { seed, numRuns: 8, endOnFailure: true },
    );
  },
);
