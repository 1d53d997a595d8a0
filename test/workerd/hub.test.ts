/** What the hub keeps, and for how long: with a clock that can be set. */
import { env as bindings } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Change } from "../../src/changes.ts";
import { openRing, RING, RING_TTL_MS } from "../../worker/hub-ring.ts";
import { keyOf } from "../../worker/hub-names.ts";
import { HUB_PATHS } from "../../worker/hub-wire.ts";
import { stamped } from "../../src/wire/version.ts";

const env = bindings as unknown as Record<"MCP_HUB" | "MCP_SESSION", DurableObjectNamespace>;

const LIMITS = { namesEach: 1001 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

let lastTopic = 0;
/** A hub that no other test uses. */
function hub(): DurableObjectStub {
  return env.MCP_HUB.get(env.MCP_HUB.idFromName(`keeps ${++lastTopic}`));
}

async function post(stub: DurableObjectStub, path: string, body: unknown): Promise<number> {
  return (await stub.fetch(path, { method: "POST", headers: stamped(), body: JSON.stringify(body) })).status;
}

async function publish(
  stub: DurableObjectStub,
  uris: readonly string[],
  id = crypto.randomUUID(),
  again = false,
) {
  const changes = uris.map((uri): Change => ({ kind: "resource_updated", uri }));
  expect(await post(stub, HUB_PATHS.publish, { id, changes, again })).toBe(204);
}

/** The resources in the changes that are held after this number, as a hub finds them that was just started. */
function held(stub: DurableObjectStub, after = 0): Promise<string[]> {
  return runInDurableObject(stub, (_, state) =>
    openRing(state.storage, LIMITS)
      .after(after)
      .map((change) => (change.kind === "resource_updated" ? change.uri : "")),
  );
}

function rows(stub: DurableObjectStub): Promise<number> {
  return runInDurableObject(stub, async (_, state) => {
    const tables = state.storage.sql
      .exec<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
      )
      .toArray();
    return tables.reduce(
      (count, { name }) =>
        count +
        state.storage.sql.exec<{ count: number }>(`SELECT count(*) AS count FROM ${name}`).one().count,
      tables.length,
    );
  });
}

test("holds the last changes, in order, and gives those after a number", async () => {
  const stub = hub();
  await publish(stub, ["a", "b", "c"]);
  await publish(stub, ["d"]);
  await publish(stub, ["e", "f"]);
  expect(await held(stub)).toEqual(["a", "b", "c", "d", "e", "f"]);
  const last = await runInDurableObject(stub, (_, state) => openRing(state.storage, LIMITS).last);
  expect(await held(stub, last - 4)).toEqual(["c", "d", "e", "f"]);
  expect(await held(stub, last - 1)).toEqual(["f"]);
  expect(await held(stub, last)).toEqual([]);
});

test("a publication that is sent again counts once", async () => {
  const stub = hub();
  await publish(stub, ["a"], "one");
  await publish(stub, ["a"], "one", true);
  await publish(stub, ["b"], "two", true);
  expect(await held(stub)).toEqual(["a", "b"]);
});

test(`holds ${RING} changes at least and not many more`, async () => {
  const stub = hub();
  const uris = Array.from({ length: 100 }, (_, n) => `r${n}`);
  for (let n = 0; n < 60; n++) {
    await publish(stub, uris);
    const count = (await held(stub)).length;
    expect(count).toBeGreaterThanOrEqual(Math.min(RING, 100 * (n + 1)));
    expect(count).toBeLessThanOrEqual(2 * RING + 100);
  }
});

test("what is old goes; where nobody is interested any more, nothing stays", async () => {
  const stub = hub();
  await publish(stub, ["a"]);
  vi.setSystemTime(Date.now() + RING_TTL_MS / 2);
  await publish(stub, ["b"]);
  vi.setSystemTime(Date.now() + RING_TTL_MS / 2 + 1);
  expect(await runDurableObjectAlarm(stub)).toBe(true);
  expect(await held(stub)).toEqual(["b"]);
  vi.setSystemTime(Date.now() + RING_TTL_MS);
  expect(await runDurableObjectAlarm(stub)).toBe(true);
  expect(await rows(stub)).toBe(0);
  expect(await runDurableObjectAlarm(stub)).toBe(false);
});

test("numbers go up even where a hub begins anew", async () => {
  const stub = hub();
  await publish(stub, ["a"]);
  const before = await runInDurableObject(stub, (_, state) => openRing(state.storage, LIMITS).last);
  vi.setSystemTime(Date.now() + 2 * RING_TTL_MS);
  await runDurableObjectAlarm(stub);
  expect(await rows(stub)).toBe(0);
  await publish(stub, ["b"]);
  const after = await runInDurableObject(stub, (_, state) => openRing(state.storage, LIMITS).last);
  expect(after).toBeGreaterThan(before);
});

test("a session that waits to be told keeps the hub's memory, its end releases it", async () => {
  const stub = hub();
  const session = env.MCP_SESSION.newUniqueId().toString();
  expect(
    await post(stub, HUB_PATHS.watch, { session, names: ["list_changed", "resource_updated x"], drop: [] }),
  ).toBe(204);
  await publish(stub, ["a"]);
  vi.setSystemTime(Date.now() + 2 * RING_TTL_MS);
  await runDurableObjectAlarm(stub);
  expect(await rows(stub)).toBeGreaterThan(0);
  expect(await post(stub, HUB_PATHS.forget, { session })).toBe(204);
  vi.setSystemTime(Date.now() + 2 * RING_TTL_MS);
  expect(await runDurableObjectAlarm(stub)).toBe(true);
  expect(await rows(stub)).toBe(0);
});

test("a session that is gone is forgotten when it should be told", async () => {
  const stub = hub();
  const session = env.MCP_SESSION.newUniqueId().toString();
  await post(stub, HUB_PATHS.watch, { session, names: ["resource_updated x"], drop: [] });
  await publish(stub, ["x"]);
  await vi.waitFor(async () =>
    expect(await runInDurableObject(stub, (_, state) => openRing(state.storage, LIMITS).isWatched())).toBe(
      false,
    ),
  );
});

const watch = (
  stub: DurableObjectStub,
  session: string,
  add: readonly string[],
  drop: readonly string[] = [],
): Promise<number> => post(stub, HUB_PATHS.watch, { session, names: add, drop });

const names = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, n) => `resource_updated ${from + n}`);

test("remembers as many names of a session as it may have subscriptions, and its lists", async () => {
  const stub = hub();
  const [greedy, other] = ["f".repeat(64), "e".repeat(64)];
  expect(await watch(stub, greedy, names(1000))).toBe(204);
  expect(await watch(stub, greedy, ["list_changed"])).toBe(204);
  expect(await watch(stub, greedy, ["one more"])).toBe(429);
  // All or nothing; what is there may be asked for again.
  expect(await watch(stub, greedy, [...names(10), "one more"])).toBe(429);
  expect(await watch(stub, greedy, names(1000))).toBe(204);
  // Nobody else is hindered.
  expect(await watch(stub, other, names(1000))).toBe(204);
  expect(await watch(stub, greedy, ["one more"], names(1))).toBe(204);
  expect(await watch(stub, greedy, ["another"])).toBe(429);
  expect(await post(stub, HUB_PATHS.forget, { session: greedy })).toBe(204);
  expect(await watch(stub, greedy, names(1001, 5000))).toBe(204);
});

test("counts what it remembers of a session once in its life, however many ask", async () => {
  const stub = hub();
  await watch(stub, "a".repeat(64), names(500));
  const read = await runInDurableObject(stub, (_, { storage }) => {
    const { sql } = storage;
    const ring = openRing(storage, LIMITS);
    const exec = sql.exec.bind(sql);
    let rows = 0;
    sql.exec = (query, ...bindings) => {
      const cursor = exec<never>(query, ...bindings);
      const all = cursor.toArray();
      rows += cursor.rowsRead;
      cursor.toArray = () => all;
      cursor.one = () => all[0] as never;
      return cursor;
    };
    for (const name of names(100, 1000)) expect(ring.watch("a".repeat(64), [name])).toBe(true);
    return rows;
  });
  expect(read).toBeLessThan(500 + 100 * 3);
});

test("takes no more names once all that it keeps is too large, and some again when it is not", async () => {
  const stub = hub();
  await runInDurableObject(stub, (_, { storage }) => {
    const { databaseSize } = storage.sql;
    const ring = openRing(storage, { namesEach: 1001, bytes: databaseSize + 100_000 });
    const sessions = Array.from({ length: 100 }, (_, n) => String(n).padStart(64, "0"));
    const refused = sessions.findIndex((session) => !ring.watch(session, names(100)));
    expect(refused).toBeGreaterThan(1);
    expect(storage.sql.databaseSize).toBeLessThan(databaseSize + 200_000);
    for (const session of sessions.slice(0, refused)) ring.unwatch(session);
    expect(ring.isWatched()).toBe(false);
    expect(ring.watch("f".repeat(64), names(100))).toBe(true);
  });
});

test("names that are long are kept by a hash, the same for whoever asks", async () => {
  const long = (end: string): string => `resource_updated test://${"x".repeat(8000)}${end}`;
  expect(await keyOf("resource_updated a")).toBe("resource_updated a");
  expect(await keyOf(long("a"))).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(await keyOf(long("a"))).toBe(await keyOf(long("a")));
  const keys = await Promise.all(["a", "b", "\ud800", "\ud801", "\ufffd"].map((end) => keyOf(long(end))));
  expect(new Set(keys).size).toBe(keys.length);
});
