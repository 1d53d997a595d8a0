/** What the processes of a cluster rest on: leases, fences and rows, in a real Postgres. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Batch, Engine } from "../../src/cluster/engine.ts";
import { openPg, type PgValue, type Query } from "../../src/cluster/pg.ts";
import { postgresEngine } from "../../src/cluster/postgres.ts";
import { migration } from "../../src/cluster/tables.ts";
import { createUserState } from "../../src/user/state.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";

const NOTHING: Batch = { rows: [], gone: [], heads: [], released: [], vacated: [] };
const LEASE = 60_000;

let database: TestDatabase;
let engine: Engine;
const engines: Engine[] = [];

const open = async (): Promise<Engine> => {
  const opened = postgresEngine(await openPg(database.url, () => {}));
  engines.push(opened);
  return opened;
};

beforeAll(async () => {
  database = await testDatabase();
  engine = await open();
  await engine.open();
});
afterAll(async () => {
  for (const opened of engines) await opened.close();
  await database.close();
});

const joined = async (leaseMs = LEASE): Promise<string> => {
  const id = crypto.randomUUID();
  await engine.join({ id, address: `http://${id}`, schema: 2 }, leaseMs);
  return id;
};
const row = (session: string, pk: string, data = "{}", table = "event") => ({ session, table, pk, data });
const head = (id: string, more: object = {}) => ({
  id,
  status: "active",
  principal: null,
  alarm: null,
  schema: 2,
  ...more,
});
/** A session of this node's, with these rows. */
const stored = async (node: string, n: number, ...pks: string[]): Promise<string> => {
  const id = crypto.randomUUID();
  const batch = { ...NOTHING, heads: [head(id)], rows: pks.map((pk) => row(id, pk, `"${pk}"`)) };
  expect((await engine.flush({ node: node, n: n, leaseMs: LEASE }, batch)).kind).toBe("stored");
  return id;
};
const rowsOf = async (session: string): Promise<string[]> =>
  (
    await database.query<{ pk: string }>("SELECT pk FROM holdfast.row WHERE session = $1 ORDER BY pk", [
      session,
    ])
  ).map(({ pk }) => pk);

describe("the tables", () => {
  test("are made once, by however many begin at once, and all have one secret", async () => {
    await database.query("CREATE SCHEMA IF NOT EXISTS holdfast");
    const own = await testDatabase();
    try {
      const many = await Promise.all(
        Array.from({ length: 6 }, async () => postgresEngine(await openPg(own.url, () => {}))),
      );
      const secrets = await Promise.all(many.map((each) => each.open()));
      expect(new Set(secrets).size).toBe(1);
      expect(secrets[0]).toMatch(/^[0-9a-f]{64}$/);
      await Promise.all(many.map((each) => each.close()));
    } finally {
      await own.close();
    }
  });

  test("a step that has been taken is not taken again", async () => {
    await database.query(migration(0));
    expect(await database.query("SELECT version, oldest FROM holdfast.meta")).toEqual([
      { version: 2, oldest: 1 },
    ]);
  });

  test("of a version that this code cannot go on with are refused, and left as they are", async () => {
    await database.query("UPDATE holdfast.meta SET version = 9, oldest = 9");
    try {
      await expect(engine.open()).rejects.toThrow("of version 9");
      await database.query("UPDATE holdfast.meta SET oldest = 1");
      expect(await engine.open()).toMatch(/^[0-9a-f]{64}$/);
      expect(await database.query("SELECT version FROM holdfast.meta")).toEqual([{ version: 9 }]);
    } finally {
      await database.query("UPDATE holdfast.meta SET version = 1, oldest = 1");
    }
  });
});

describe("a flush", () => {
  test("stores rows, replaces and deletes them, all at once", async () => {
    const node = await joined();
    const id = await stored(node, 1, "a", "b", "c");
    const batch = {
      ...NOTHING,
      rows: [row(id, "a", '"new"'), row(id, "d")],
      gone: [{ session: id, table: "event", pk: "b" }],
      heads: [head(id, { status: "ended", principal: "nul\0\\0", alarm: 5 })],
    };
    expect((await engine.flush({ node: node, n: 2, leaseMs: LEASE }, batch)).kind).toBe("stored");
    const held = await engine.load(id, node);
    expect(await engine.load(id, await joined())).toBeUndefined();
    expect(held?.head).toEqual({ schema: 2, status: "ended", principal: "nul\0\\0", alarm: 5 });
    expect(held?.rows.find(({ pk }) => pk === "a")?.data).toBe('"new"');
    expect(await rowsOf(id)).toEqual(["a", "c", "d"]);
    expect(await engine.sessionsOf("nul\0\\0")).toEqual([id]);
  });

  test("happens once, however often it is asked for", async () => {
    const node = await joined();
    const id = await stored(node, 1, "a");
    const batch = { ...NOTHING, rows: [row(id, "b")] };
    expect((await engine.flush({ node: node, n: 2, leaseMs: LEASE }, batch)).kind).toBe("stored");
    await database.query("DELETE FROM holdfast.row WHERE session = $1 AND pk = 'b'", [id]);
    expect((await engine.flush({ node: node, n: 2, leaseMs: LEASE }, batch)).kind).toBe("stored");
    expect(await rowsOf(id)).toEqual(["a"]);
  });

  test("of a node that was ended stores nothing", async () => {
    const node = await joined();
    const id = await stored(node, 1, "a");
    expect(await engine.fence(node, false)).toBe(true);
    const batch = { ...NOTHING, rows: [row(id, "late")], gone: [{ session: id, table: "event", pk: "a" }] };
    expect(await engine.flush({ node: node, n: 2, leaseMs: LEASE }, batch)).toEqual({ kind: "fenced" });
    expect(await rowsOf(id)).toEqual(["a"]);
  });

  test("that waits behind a fence stores nothing either", async () => {
    const node = await joined();
    const id = await stored(node, 1, "a");
    const { Client } = (await import("pg")).default;
    const other = new Client({ connectionString: database.url });
    await other.connect();
    await other.query("BEGIN");
    await other.query("UPDATE holdfast.node SET alive = false WHERE id = $1", [node]);
    const late = engine.flush({ node: node, n: 2, leaseMs: LEASE }, { ...NOTHING, rows: [row(id, "late")] });
    await expect.poll(() => database.query("SELECT 1 FROM pg_locks WHERE NOT granted")).not.toHaveLength(0);
    await other.query("COMMIT");
    await other.end();
    expect(await late).toEqual({ kind: "fenced" });
    expect(await rowsOf(id)).toEqual(["a"]);
  });

  test("tells where the database holds less than it has acknowledged", async () => {
    const node = await joined();
    for (let n = 1; n <= 3; n++) await engine.flush({ node: node, n: n, leaseMs: LEASE }, NOTHING);
    await database.query("UPDATE holdfast.node SET flush = 1 WHERE id = $1", [node]);
    expect(await engine.flush({ node: node, n: 4, leaseMs: LEASE }, NOTHING)).toEqual({ kind: "lost" });
    await database.query("DELETE FROM holdfast.node WHERE id = $1", [node]);
    expect(await engine.flush({ node: node, n: 4, leaseMs: LEASE }, NOTHING)).toEqual({ kind: "fenced" });
  });

  test("lets go of sessions, and of ids under which nothing is", async () => {
    const node = await joined();
    const id = await stored(node, 1, "a");
    expect(await engine.reserve("taken", { node: node, schema: 2, forMs: 1000 })).toBe(true);
    expect(await engine.reserve("taken", { node: node, schema: 2, forMs: 1000 })).toBe(false);
    await engine.flush(
      { node: node, n: 2, leaseMs: LEASE },
      { ...NOTHING, released: [id], vacated: ["taken"] },
    );
    expect(await engine.find("taken")).toBeUndefined();
    expect(await engine.find(id)).toMatchObject({ owner: undefined, schema: 2 });
  });
});

describe("a claim", () => {
  test("takes what is nobody's, or a dead node's, with all that is stored; of several one gets it", async () => {
    const [first, second, third] = [await joined(), await joined(), await joined()];
    const id = await stored(first, 1, "a", "b");
    const found = await engine.find(id);
    expect(found?.owner).toMatchObject({ id: first, isAlive: true, isExpired: false });
    expect(await engine.claim(id, second, found?.claims ?? 0)).toBeUndefined();
    await engine.fence(first, false);
    const claims = await Promise.all(
      [second, third].map((node) => engine.claim(id, node, found?.claims ?? 0)),
    );
    const won = claims.filter((claim) => claim !== undefined);
    expect(won).toHaveLength(1);
    expect(won[0]?.rows.map(({ pk }) => pk).sort()).toEqual(["a", "b"]);
    const owner = (await engine.find(id))?.owner?.id;
    expect(owner).toBe(claims[0] === undefined ? third : second);
  });

  test("goes by what was seen: what has been taken and let go of since is not taken", async () => {
    const [first, second] = [await joined(), await joined()];
    const id = await stored(first, 1, "a");
    await engine.flush({ node: first, n: 2, leaseMs: LEASE }, { ...NOTHING, released: [id] });
    const seen = await engine.find(id);
    expect(await engine.claim(id, first, seen?.claims ?? 0)).toBeDefined();
    await engine.flush(
      { node: first, n: 3, leaseMs: LEASE },
      { ...NOTHING, rows: [row(id, "b")], released: [] },
    );
    await engine.flush({ node: first, n: 4, leaseMs: LEASE }, { ...NOTHING, released: [id] });
    expect(await engine.claim(id, second, seen?.claims ?? 0)).toBeUndefined();
    const again = await engine.find(id);
    const claimed = await engine.claim(id, second, again?.claims ?? 0);
    expect(claimed?.rows.map(({ pk }) => pk).sort()).toEqual(["a", "b"]);
  });

  test("a lease that ran out ends nobody by itself", async () => {
    const node = await joined(1);
    await expect
      .poll(async () => (await engine.members()).find(({ id }) => id === node)?.isExpired)
      .toBe(true);
    const id = await stored(node, 1, "a");
    expect((await engine.find(id))?.owner).toMatchObject({ isAlive: true });
    expect(await engine.fence(node, true)).toBe(false);
    const lapsed = await joined(1);
    await expect.poll(() => engine.fence(lapsed, true)).toBe(true);
  });

  test("takes due sessions that are nobody's, each once, and passes over others'", async () => {
    const [gone, here] = [await joined(), await joined()];
    const now = Date.now();
    const ids = Array.from({ length: 30 }, () => crypto.randomUUID());
    const due = ids.map((id) => head(id, { alarm: now - 60_000 }));
    await engine.flush(
      { node: gone, n: 1, leaseMs: LEASE },
      {
        ...NOTHING,
        heads: [...due, head("later", { alarm: now + 600_000 })],
      },
    );
    await engine.flush(
      { node: here, n: 1, leaseMs: LEASE },
      { ...NOTHING, heads: [head("mine", { alarm: now - 60_000 })] },
    );
    await engine.fence(gone, false);
    const older = { schema: 1, guests: true, limit: 100 };
    expect(await engine.due(here, older)).toEqual([]);
    const each = { schema: 2, guests: true, limit: 20 };
    const taken = await Promise.all([await joined(), await joined()].map((node) => engine.due(node, each)));
    expect(taken.flat().toSorted()).toEqual(ids.toSorted());
    expect(new Set(taken.flat()).size).toBe(30);
  });

  test("guests are rung by those who have any, and are counted by themselves", async () => {
    const [gone, here] = [await joined(), await joined()];
    const id = crypto.randomUUID();
    const guest = { status: "guest", principal: "\0ann", alarm: 1 };
    const before = await engine.count(undefined, 10_000);
    await engine.flush({ node: gone, n: 1, leaseMs: LEASE }, { ...NOTHING, heads: [head(id, guest)] });
    expect(await engine.count(undefined, 10_000)).toBe(before);
    expect(await engine.count("\0ann", 10)).toBe(0);
    expect(await engine.sessionsOf("\0ann")).toEqual([]);
    expect(await engine.countGuests("\0ann")).toEqual({ all: 1, own: 1 });
    expect(await engine.countGuests(null)).toEqual({ all: 1, own: 0 });
    await engine.fence(gone, false);
    expect(await engine.due(here, { schema: 2, guests: false, limit: 100 })).toEqual([]);
    expect(await engine.due(here, { schema: 2, guests: true, limit: 100 })).toEqual([id]);
  });

  test("reads nothing of what sleeps, however much that is", async () => {
    const node = await joined();
    await database.query(
      `INSERT INTO holdfast.session (id, claims, schema, status, alarm)
        SELECT 'asleep' || n, 1, 2, 'active', (extract(epoch FROM now()) * 1000)::bigint + 600000 + n
          FROM generate_series(1, 5000) AS n`,
    );
    await database.query("ANALYZE holdfast.session");
    const query = await openPg(database.url, () => {});
    const plans: { readonly "QUERY PLAN": unknown }[] = [];
    const explain: Query = Object.assign(
      async <Row extends object>(text: string, values: readonly PgValue[] = []): Promise<Row[]> => {
        plans.push(
          ...(await query<(typeof plans)[number]>(`EXPLAIN (ANALYZE, FORMAT JSON) ${text}`, values)),
        );
        return [];
      },
      { end: () => query.end() },
    );
    const explained = postgresEngine(explain);
    engines.push(explained);
    await explained.due(node, { schema: 2, guests: true, limit: 100 });
    const plan = JSON.stringify(plans);
    expect(plan).toContain("session_alarm");
    const removed = [...plan.matchAll(/"Rows Removed by [^"]+":(\d+)/g)].map(([, count]) => Number(count));
    expect(removed.reduce((sum, count) => sum + count, 0)).toBeLessThan(100);
    await database.query("DELETE FROM holdfast.session WHERE id LIKE 'asleep%'");
  });

  test("what a process has without knowing is found once it is long overdue", async () => {
    const node = await joined();
    const [{ now = 0 } = {}] = await database.query<{ now: number }>(
      "SELECT (extract(epoch FROM now()) * 1000)::float8 AS now",
    );
    const [early, late] = [crypto.randomUUID(), crypto.randomUUID()];
    const heads = [
      head(early, { alarm: Math.round(now) - 100 }),
      head(late, { alarm: Math.round(now) - 60_000 }),
    ];
    await engine.flush({ node, n: 1, leaseMs: LEASE }, { ...NOTHING, heads });
    expect(await engine.due(node, { schema: 2, guests: true, limit: 100 })).toEqual([late]);
  });

  test("what is stored is not let go of as an id alone", async () => {
    const node = await joined();
    const id = await stored(node, 1, "a");
    await engine.flush({ node, n: 2, leaseMs: LEASE }, { ...NOTHING, vacated: [id] });
    expect((await engine.find(id))?.owner?.id).toBe(node);
  });

  test("leaving hands over all at once", async () => {
    const [first, second] = [await joined(), await joined()];
    const id = await stored(first, 1, "a");
    await engine.reserve("empty", { node: first, schema: 2, forMs: 1000 });
    await engine.leave(first);
    expect(await engine.find("empty")).toBeUndefined();
    expect((await engine.members()).map((node) => node.id)).not.toContain(first);
    const found = await engine.find(id);
    expect(found?.owner).toBeUndefined();
    expect(await engine.claim(id, second, found?.claims ?? 0)).toBeDefined();
    expect((await engine.flush({ node: first, n: 2, leaseMs: LEASE }, NOTHING)).kind).toBe("fenced");
  });
});

test("those who want to hear of a change are found by their entries, whatever these are named", async () => {
  const node = await joined();
  const [lists, both] = [await stored(node, 1), await stored(node, 2)];
  const entry = (id: string, pk: string, data: string) => row(id, pk, data, "entry");
  await engine.flush(
    { node: node, n: 3, leaseMs: LEASE },
    {
      ...NOTHING,
      rows: [
        entry(lists, '["watch","t"]', "lists"),
        entry(both, '["watch","t"]', "resources"),
        entry(both, '["sticky","s"]', "x"),
        entry(both, '["state","big"]', "x".repeat(1_000_000)),
      ],
    },
  );
  expect(await engine.watchers('["watch","t"]', "lists", undefined)).toEqual([lists]);
  expect(await engine.watchers('["watch","t"]', undefined, '["sticky","s"]')).toEqual([both]);
  expect(await engine.watchers('["watch","other"]', undefined, undefined)).toEqual([]);
});

describe("users' state", () => {
  const stateOf = (owner: string, most = 1000) =>
    createUserState((request) => engine.user(owner, request, most), most);

  test("holds what is put, by name, and forgets it", async () => {
    const state = stateOf("ann");
    for (const name of ["b", "a", "nul\0", "back\\slash", "é"]) {
      await state.set(name, { name });
      expect(await state.get(name)).toEqual({ name });
    }
    expect(await state.keys()).toEqual(["a", "b", "back\\slash", "nul\0", "é"]);
    expect(await stateOf("bob").keys()).toEqual([]);
    expect(await state.delete("a")).toBe(true);
    expect(await state.delete("a")).toBe(false);
    expect(await engine.user("ann", { op: "erase" }, 1000)).toEqual({ kind: "done", changed: true });
    expect(await state.keys()).toEqual([]);
  });

  test("loses no update of those that meet", async () => {
    const updates = Array.from({ length: 8 }, () =>
      stateOf("many").update("n", (n) => (typeof n === "number" ? n : 0) + 1),
    );
    await Promise.all(updates);
    expect(await stateOf("many").get("n")).toBe(8);
  });

  test("has a bound, and what goes makes room", async () => {
    const state = stateOf("full", 50);
    await state.set("a", "x".repeat(30));
    await expect(state.set("b", "x".repeat(30))).rejects.toThrow("maxUserStateBytes (50)");
    await state.delete("a");
    await state.set("b", "x".repeat(30));
  });
});
