/** One timer for the alarms of all sessions, derived from the store. */
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createAlarms } from "../../src/local/alarms.ts";
import { openDatabase } from "../../src/local/database.ts";
import { createLocalMcp, type LocalMcp, type LocalMcpOptions } from "../../src/local/index.ts";
import type { Sqlite } from "../../src/local/sqlite.ts";
import { request } from "../support/messages.ts";
import { createTestServer } from "../support/test-server.ts";
import { ask, freshFile, open } from "./served.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("alarms", () => {
  /** Alarms over sessions 1 to `count`, with what has rung. */
  function alarms(
    sqlite: Sqlite,
    onRing: (key: number) => Promise<void> | void = () => {},
  ): { alarms: ReturnType<typeof createAlarms>; rung: [string, number][] } {
    const rung: [string, number][] = [];
    const made = createAlarms(
      sqlite,
      () => Date.now(),
      async (id, key) => {
        rung.push([id, Date.now()]);
        await onRing(key);
      },
    );
    onTestFinished(() => made.stop());
    return { alarms: made, rung };
  }

  function withSessions(count: number): Sqlite {
    const sqlite = openDatabase(undefined);
    onTestFinished(() => sqlite.close());
    for (let key = 1; key <= count; key++) {
      sqlite.exec(
        `INSERT INTO session (key, schema, id, kind, status, version, initialized, standalone, created, seen)
          VALUES (?, 1, ?, 'streamable', 'active', '2025-11-25', 1, 1, 0, 0)`,
        key,
        `s${key}`,
      );
      sqlite.exec("INSERT INTO alarm (key, at) VALUES (?, ?)", key, Date.now() + 365 * DAY);
    }
    return sqlite;
  }

  test("ring in order, each at its time, on one timer", async () => {
    const { alarms: made, rung } = alarms(withSessions(3), (key) => made.of(key).clear());
    const start = Date.now();
    made.of(1).set(start + 3000);
    made.of(2).set(start + 1000);
    made.of(3).set(start + 2000);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect(rung).toEqual([
      ["s2", start + 1000],
      ["s3", start + 2000],
      ["s1", start + 3000],
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("that are put off or cleared do not ring at their old time", async () => {
    const { alarms: made, rung } = alarms(withSessions(2), (key) => made.of(key).clear());
    const start = Date.now();
    made.of(1).set(start + 1000);
    made.of(2).set(start + 1000);
    made.of(1).set(start + 9000);
    made.of(2).clear();
    expect(made.of(1).get()).toBe(start + 9000);
    expect(made.of(2).get()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(8999);
    expect(rung).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(rung).toEqual([["s1", start + 9000]]);
  });

  test("months away do not ring early: a timer holds 24 days at most", async () => {
    const { alarms: made, rung } = alarms(withSessions(1), (key) => made.of(key).clear());
    const at = Date.now() + 100 * DAY;
    made.of(1).set(at);
    await vi.advanceTimersByTimeAsync(100 * DAY - 1);
    expect(rung).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(rung).toEqual([["s1", at]]);
  });

  test("of which hundreds are due at once all ring, each once", async () => {
    const { alarms: made, rung } = alarms(withSessions(500), (key) => made.of(key).clear());
    const at = Date.now() + 1000;
    for (let key = 1; key <= 500; key++) made.of(key).set(at);
    await vi.advanceTimersByTimeAsync(1100);
    expect(new Set(rung.map(([id]) => id)).size).toBe(500);
    expect(rung).toHaveLength(500);
  });

  test("set while others ring are not forgotten", async () => {
    const { alarms: made, rung } = alarms(withSessions(2), (key) => {
      made.of(key).clear();
      if (key === 1) made.of(2).set(Date.now() + 500);
    });
    const start = Date.now();
    made.of(1).set(start + 1000);
    await vi.advanceTimersByTimeAsync(2000);
    expect(rung).toEqual([
      ["s1", start + 1000],
      ["s2", start + 1500],
    ]);
  });

  test("that fail ring again a second later, and keep no other from ringing", async () => {
    const { alarms: made, rung } = alarms(withSessions(2), (key) => {
      if (key === 1) throw new Error("no");
      made.of(key).clear();
    });
    const start = Date.now();
    made.of(1).set(start + 1000);
    made.of(2).set(start + 1001);
    await vi.advanceTimersByTimeAsync(3000);
    expect(rung).toEqual([
      ["s1", start + 1000],
      ["s2", start + 1001],
      ["s1", start + 2000],
      ["s1", start + 3000],
    ]);
  });

  test("of no session are dropped; a session without one is rung at once, to set its own", async () => {
    const sqlite = withSessions(2);
    sqlite.exec("UPDATE alarm SET key = 77, at = ? WHERE key = 1", Date.now());
    const { rung, alarms: made } = alarms(sqlite, (key) => made.of(key).clear());
    await vi.advanceTimersByTimeAsync(0);
    expect(rung.map(([id]) => id)).toEqual(["s1"]);
    expect(sqlite.exec("SELECT key FROM alarm")).toMatchObject([{ key: 2 }]);
  });
});

describe("sessions of a host", () => {
  const SETTINGS = { sessionTtlMs: HOUR, tombstoneTtlMs: DAY, recovery: "rotate" } as const;

  function host(database: string, more: Partial<LocalMcpOptions> = {}): LocalMcp & { types: string[] } {
    const types: string[] = [];
    const mcp = createLocalMcp({
      createServer: createTestServer,
      database,
      onEvent: ({ type }) => types.push(type),
      ...SETTINGS,
      ...more,
    });
    onTestFinished(() => mcp.close());
    return { ...mcp, types };
  }

  test("end at their time, leave a tombstone, then nothing", async () => {
    const mcp = host(freshFile());
    const id = await open(mcp);
    await vi.advanceTimersByTimeAsync(HOUR);
    expect((await ask(mcp, request("ping"), id)).status).toBe(200);
    await vi.advanceTimersByTimeAsync(1.2 * HOUR);
    const gone = await ask(mcp, request("ping"), id);
    expect(gone.status).toBe(404);
    expect(gone.headers.get("mcp-session-id")).toMatch(/^[0-9a-f]{64}$/);
    await vi.advanceTimersByTimeAsync(DAY + HOUR);
    expect((await ask(mcp, request("ping"), id)).headers.has("mcp-session-id")).toBe(false);
    expect(mcp.host.find(id, undefined)).toBeUndefined();
    expect(mcp.host.inMemory).toBe(0);
  });

  test("that fell due while no process ran end as the next one starts", async () => {
    const database = freshFile();
    const first = host(database);
    const id = await open(first);
    await first.close();
    vi.setSystemTime(Date.now() + 3 * HOUR);
    const second = host(database);
    await vi.advanceTimersByTimeAsync(0);
    expect(second.types).toEqual(["session.expired"]);
    expect((await ask(second, request("ping"), id)).status).toBe(404);
  });

  test("that were used live on, though their stored alarm is of before", async () => {
    const mcp = host(freshFile(), { evictAfterMs: 60_000 });
    const id = await open(mcp);
    for (let n = 0; n < 10; n++) {
      await vi.advanceTimersByTimeAsync(HOUR / 2);
      expect((await ask(mcp, request("ping"), id)).status).toBe(200);
      await vi.advanceTimersByTimeAsync(120_000);
      expect(mcp.host.inMemory).toBe(0);
    }
    expect(mcp.types).not.toContain("session.expired");
  });

  test("that ring are not kept in memory for it", async () => {
    const database = freshFile();
    const first = host(database);
    for (let n = 0; n < 20; n++) await open(first);
    await first.close();
    vi.setSystemTime(Date.now() + 3 * HOUR);
    const second = host(database);
    await vi.advanceTimersByTimeAsync(0);
    expect(second.types.filter((type) => type === "session.expired")).toHaveLength(20);
    expect(second.host.inMemory).toBe(0);
  });

  test("a host with nothing to do waits for one alarm and no more", async () => {
    const mcp = host(freshFile());
    expect(vi.getTimerCount()).toBe(0);
    await open(mcp);
    await vi.advanceTimersByTimeAsync(2 * 60_000);
    expect(mcp.host.inMemory).toBe(0);
    expect(vi.getTimerCount()).toBe(1);
  });
});
