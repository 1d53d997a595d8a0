/** What the hub keeps, and for how long: with a clock that can be set. */
import { env as bindings } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Change } from "../../src/changes.ts";
import { openRing, RING, RING_TTL_MS } from "../../worker/hub-ring.ts";
import { HUB_PATHS } from "../../worker/hub-wire.ts";

const env = bindings as unknown as Record<"MCP_HUB" | "MCP_SESSION", DurableObjectNamespace>;

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
  return (await stub.fetch(path, { method: "POST", body: JSON.stringify(body) })).status;
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
    openRing(state.storage)
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
  const last = await runInDurableObject(stub, (_, state) => openRing(state.storage).last);
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
  const before = await runInDurableObject(stub, (_, state) => openRing(state.storage).last);
  vi.setSystemTime(Date.now() + 2 * RING_TTL_MS);
  await runDurableObjectAlarm(stub);
  expect(await rows(stub)).toBe(0);
  await publish(stub, ["b"]);
  const after = await runInDurableObject(stub, (_, state) => openRing(state.storage).last);
  expect(after).toBeGreaterThan(before);
});

test("a session that waits to be told keeps the hub's memory, its end releases it", async () => {
  const stub = hub();
  const session = env.MCP_SESSION.newUniqueId().toString();
  expect(await post(stub, HUB_PATHS.watch, { session, names: ["list_changed", "resource_updated x"] })).toBe(
    204,
  );
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
  await post(stub, HUB_PATHS.watch, { session, names: ["resource_updated x"] });
  await publish(stub, ["x"]);
  await vi.waitFor(async () =>
    expect(await runInDurableObject(stub, (_, state) => openRing(state.storage).isWatched())).toBe(false),
  );
});

test("refuses to remember more names than it may", async () => {
  const stub = hub();
  const names = Array.from({ length: 5000 }, (_, n) => `resource_updated ${n}`);
  expect(await post(stub, HUB_PATHS.watch, { session: "f".repeat(64), names })).toBe(204);
  expect(await post(stub, HUB_PATHS.watch, { session: "e".repeat(64), names })).toBe(204);
  expect(await post(stub, HUB_PATHS.watch, { session: "d".repeat(64), names: ["list_changed"] })).toBe(429);
  expect(await post(stub, HUB_PATHS.forget, { session: "e".repeat(64) })).toBe(204);
  expect(await post(stub, HUB_PATHS.watch, { session: "d".repeat(64), names: ["list_changed"] })).toBe(204);
});
