/**
 * Deploys of several processes, one after the other over one database, forwards and back: the previous version and this
 * one, and this one and a later one whose sessions it cannot read. `SEQUENCE_SEED=<seed>` plays sequences again.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Inspection } from "../support/back-door.ts";
import { hold } from "../exactly-once/hold.ts";
import { sequences } from "../exactly-once/steps.ts";
import { type Cluster, type Member, startCluster } from "../support/cluster.ts";
import { openSession, sessionAt } from "../support/mcp.ts";
import { request, upTo } from "../support/messages.ts";
import { type Mutant, mutant } from "../support/mutant.ts";
import { eventually } from "../support/wait.ts";
import { lostOrDoubled, startCounter } from "./cluster.ts";
import { PREVIOUS_CLUSTER, previousSource, SCHEMA_FILE, TREE_SOURCE } from "./versions.ts";

const ENTRY = "test/support/cluster-server.ts";
const NEW = join(TREE_SOURCE, ENTRY);

/** What the shared database holds of a session, as one process's back door would show it. */
async function inspect({ database }: Cluster, session: string): Promise<Pick<Inspection, "tables">> {
  const rows = await database.query<{ tbl: string; data: string }>(
    "SELECT tbl, data FROM holdfast.row WHERE session = $1",
    [session],
  );
  const table = (name: string): Record<string, unknown>[] =>
    rows.filter(({ tbl }) => tbl === name).map(({ data }) => JSON.parse(data) as Record<string, unknown>);
  return {
    tables: Object.fromEntries(["session", "stream", "event", "entry"].map((name) => [name, table(name)])),
  };
}

/** Replaces the processes one by one, in order or by SIGKILL, each by this program. */
async function deploy(
  { members }: Cluster,
  program: string,
  signals: readonly NodeJS.Signals[] = ["SIGTERM"],
): Promise<void> {
  for (const [n, member] of members.entries()) {
    await member.end(signals[n % signals.length] ?? "SIGTERM");
    await member.start({}, program);
  }
}

describe("the previous version and this one", () => {
  const old = join(previousSource(PREVIOUS_CLUSTER), ENTRY);
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ entry: old, vars: { TEST_LEASE_MS: "1500" } });
  });
  afterAll(() => cluster?.close());

  test(
    "every message arrives once and in order, whichever process is replaced by which",
    { timeout: 300_000 },
    async () => {
      const isNew = [false, false, false];
      const seen = new Set<string>();
      let count = 0;
      await hold(
        sequences(["kill"]),
        {
          hasLimits: false,
          drains: true,
          async fetch(path, init) {
            const response = await fetch(`${cluster.url}${path}`, init);
            if (response.status === 502) throw new Error("a process ended under the request");
            return response;
          },
          inspect: (session) => inspect(cluster, session),
          async disturb() {
            // One after the other, all of them forwards and then all back; in order, but every third by SIGKILL.
            const n = count % 3;
            const signal = count % 4 === 3 ? "SIGKILL" : "SIGTERM";
            count += 1;
            isNew[n] = isNew[n] !== true;
            seen.add(`${signal} ${isNew.join()}`);
            const member = cluster.members[n] as Member;
            await member.end(signal);
            await member.start({}, isNew[n] ? NEW : old);
          },
        },
        1,
        6,
      );
      // Deploys have met both in the midst of each other.
      expect(seen.size).toBeGreaterThanOrEqual(6);
    },
  );

  test(
    "clients that call without a pause lose nothing and count nothing twice, there and back",
    { timeout: 300_000 },
    async () => {
      const counters = await Promise.all(upTo(6).map(() => startCounter(cluster.url)));
      await deploy(cluster, NEW, ["SIGTERM", "SIGKILL"]);
      await deploy(cluster, old, ["SIGTERM", "SIGKILL"]);
      await Promise.all(counters.map((counter) => counter.stop()));
      for (const counter of counters) {
        expect(await lostOrDoubled(counter)).toEqual([]);
        expect(counter.told.length).toBeGreaterThan(20);
      }
    },
  );

  test("and all that came could be read", () => {
    expect(cluster.events().filter(({ type }) => type === "wire.unreadable")).toEqual([]);
  });
});

describe("this version and a later one, whose sessions it cannot read", () => {
  let copy: Mutant;
  let later: string;
  let cluster: Cluster;
  beforeAll(async () => {
    copy = mutant([
      { file: SCHEMA_FILE, from: "export const SCHEMA_VERSION = 2;", to: "export const SCHEMA_VERSION = 3;" },
      {
        file: SCHEMA_FILE,
        from: "successor TEXT, greeting TEXT)`",
        to: "successor TEXT, greeting TEXT, later TEXT NOT NULL DEFAULT 'x')`",
      },
    ]);
    later = copy.path(ENTRY);
    cluster = await startCluster({
      runtimes: ["node", "node"],
      vars: { TEST_LEASE_MS: "1500", TEST_EVICT_MS: "200" },
    });
  });
  afterAll(async () => {
    await cluster?.close();
    copy?.remove();
  });
  const at = (n: number): Member => cluster.members[n] as Member;
  const stored = async (session: string): Promise<unknown> =>
    cluster.database.query(
      "SELECT s.schema, r.tbl, r.pk, r.data FROM holdfast.session AS s JOIN holdfast.row AS r ON r.session = s.id WHERE s.id = $1 ORDER BY tbl, pk",
      [session],
    );

  test(
    "no session that the later one has stored goes to the older, which passes requests on, and says so once nobody is left",
    { timeout: 180_000 },
    async () => {
      const session = await openSession(at(0).url);
      expect(await session.tool("counter")).toBe("1");
      await at(1).end("SIGTERM");
      await at(1).start({}, later);
      const there = sessionAt(at(1).url, session);
      await at(0).end("SIGTERM");
      // What the older one has left, the later one takes.
      expect(await there.tool("counter")).toBe("2");
      await at(0).start();
      for (let n = 3; n <= 6; n++) {
        // Let go of in between: whoever is asked next could have it.
        await eventually(async () => expect(await cluster.ownerOf(session.id)).toBeUndefined());
        expect(await session.tool("counter")).toBe(String(n));
        // Or nobody's again.
        expect([at(1), undefined]).toContain(await cluster.ownerOf(session.id));
      }
      expect(
        at(0)
          .events()
          .filter(({ type }) => type === "call.ended"),
      ).toEqual([]);
      // The roll-back: none is left that can read it.
      await at(1).end("SIGTERM");
      const before = await stored(session.id);
      expect(before).toContainEqual(expect.objectContaining({ schema: 3, tbl: "session" }));
      const answer = await session.post(request("ping"));
      expect(JSON.stringify(await answer.json())).toContain("stored by a later version");
      await eventually(() =>
        expect(
          at(0)
            .events()
            .map(({ type }) => type),
        ).toContain("storage.newer"),
      );
      // Long enough for several looks at what is due.
      await new Promise((resolve) => setTimeout(resolve, 2000));
      expect(await stored(session.id)).toEqual(before);
      // And forwards again.
      await at(1).start();
      expect(await session.tool("counter")).toBe("7");
      await at(1).end("SIGTERM");
      await at(1).start({}, NEW);
    },
  );

  test(
    "a rolling deploy under load loses nothing, nor does the next after a roll-back",
    { timeout: 300_000 },
    async () => {
      const counters = await Promise.all(upTo(4).map(() => startCounter(cluster.url)));
      await deploy(cluster, later);
      await Promise.all(counters.map((counter) => counter.stop()));
      for (const counter of counters) expect(counter.told.length).toBeGreaterThan(5);
      await deploy(cluster, NEW);
      for (const { session } of counters) {
        const answer = await session.post(request("ping"));
        expect(JSON.stringify(await answer.json())).toContain("stored by a later version");
      }
      // Sessions that begin after the roll-back are the older one's.
      const fresh = await openSession(cluster.url);
      expect(await fresh.tool("counter")).toBe("1");
      await deploy(cluster, later);
      for (const counter of counters) expect(await lostOrDoubled(counter)).toEqual([]);
      expect(await fresh.tool("counter")).toBe("2");
    },
  );
});
