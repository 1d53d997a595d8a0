/**
 * What a session costs, read from the storage itself: rows that were written, files that are there,
 * calls that the object took.
 * @module
 */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Inspection, inspect } from "../support/back-door.ts";
import { type McpSession, openSession, post } from "../support/mcp.ts";
import { toolCall } from "../support/messages.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

/** Every file of the storage folder with its size: a write of one byte shows. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path} ${statSync(path).size}`)
    .toSorted();
}

const rowsOf = ({ tables }: Inspection): number =>
  Object.values(tables).reduce((count, rows) => count + rows.length, 0);

/** Sends the requests, a few at a time, and returns the statuses. */
async function statusesOf(requests: readonly (() => Promise<Response>)[]): Promise<number[]> {
  const statuses: number[] = [];
  for (let at = 0; at < requests.length; at += 20) {
    const answers = await Promise.all(requests.slice(at, at + 20).map((send) => send()));
    for (const answer of answers) {
      await answer.arrayBuffer();
      statuses.push(answer.status);
    }
  }
  return statuses;
}

describe("a session", () => {
  let server: Workerd;
  beforeAll(async () => {
    server = await startWorkerd({ vars: { HOLDFAST_LOG_LEVEL: "error" } });
  });
  afterAll(() => server.close());

  const look = (session: McpSession): Promise<Inspection> => inspect(server.url, session.id);

  it("is opened with 12 rows at most, schema and alarm included, and one call of the object each time", async () => {
    const session = await openSession(server.url);
    const { rowsWritten, alarm, fetches, tables } = await look(session);
    expect(alarm).not.toBeNull();
    expect(rowsWritten).toBeGreaterThan(0);
    expect(rowsWritten + 1).toBeLessThanOrEqual(12);
    // `initialize` and `initialized`.
    expect(fetches).toBe(2);
    expect(tables["session"]).toHaveLength(1);
  });

  it("writes nothing for calls that are answered at once, and takes one call of the object for each", async () => {
    const session = await openSession(server.url);
    await session.tool("echo", { text: "first" });
    const before = await look(session);
    const files = filesOf(server.storage);
    for (let n = 0; n < 20; n++) expect(await session.tool("echo", { text: `${n}` })).toBe(`${n}`);
    expect(filesOf(server.storage)).toEqual(files);
    const after = await look(session);
    expect(after.rowsWritten).toBe(before.rowsWritten);
    expect(after.fetches - before.fetches).toBe(20);
  });

  it("writes a row for a slow call and one for each of its messages", async () => {
    const session = await openSession(server.url);
    const before = await look(session);
    const stream = await session.stream(
      toolCall("sleep", { ms: 300, steps: 2 }, { id: 7, progressToken: 1 }),
    );
    await stream.message((message) => message.id === 7);
    const after = await look(session);
    // The stream, two notifications, the answer.
    expect(after.rowsWritten - before.rowsWritten).toBe(4);
    expect(after.fetches - before.fetches).toBe(1);
  });

  it("takes one call of the object to open its stream", async () => {
    const session = await openSession(server.url);
    const before = await look(session);
    const stream = await session.get();
    expect((await look(session)).fetches - before.fetches).toBe(1);
    stream.leave();
  });
});

describe("strangers", () => {
  let server: Workerd;
  beforeAll(async () => {
    server = await startWorkerd({ vars: { HOLDFAST_LOG_LEVEL: "error" } });
  });
  afterAll(() => server.close());

  it("create nothing and wake nothing with ids that were not issued", async () => {
    const { id } = await openSession(server.url);
    const files = filesOf(server.storage);
    const forged = Array.from({ length: 500 }, (_, n) => {
      const random = [...crypto.getRandomValues(new Uint8Array(32))]
        .map((byte) => byte.toString(16).padStart(2, "0"))
        .join("");
      // Random, of another shape, and one that differs from a real one in a digit.
      return [
        random,
        `stranger-${n}`,
        `${id.slice(0, n % 60)}${id[n % 60] === "0" ? "1" : "0"}${id.slice((n % 60) + 1)}`,
      ][n % 3] as string;
    });
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    const statuses = await statusesOf(
      forged.map(
        (session, n) => () =>
          n % 2 === 0
            ? post(`${server.url}/mcp`, list, { "Mcp-Session-Id": session })
            : fetch(`${server.url}/mcp`, {
                method: n % 4 === 1 ? "GET" : "DELETE",
                headers: { Accept: "text/event-stream", "Mcp-Session-Id": session },
              }),
      ),
    );
    expect(new Set(statuses)).toEqual(new Set([404]));
    expect(filesOf(server.storage)).toEqual(files);
  });
});

describe("500 sessions that were abandoned", () => {
  let server: Workerd;
  beforeAll(async () => {
    server = await startWorkerd({
      vars: {
        HOLDFAST_LOG_LEVEL: "error",
        HOLDFAST_KEEPALIVE_INTERVAL_MS: "500",
        HOLDFAST_SESSION_TTL_MS: "2000",
        HOLDFAST_TOMBSTONE_TTL_MS: "1500",
      },
    });
  });
  afterAll(() => server.close());

  it("leave no row and no alarm behind once TTL and tombstone are over", async () => {
    const sessions: McpSession[] = [];
    for (let at = 0; at < 500; at += 25) {
      sessions.push(...(await Promise.all(Array.from({ length: 25 }, () => openSession(server.url)))));
    }
    expect(rowsOf(await inspect(server.url, sessions.at(-1)?.id ?? ""))).toBe(1);
    for (const { id } of sessions) {
      await eventually(async () => {
        const left = await inspect(server.url, id);
        expect({ rows: rowsOf(left), tables: Object.keys(left.tables), alarm: left.alarm }).toEqual({
          rows: 0,
          tables: [],
          alarm: null,
        });
      }, 30_000);
    }
  }, 90_000);
});

describe("what was kept for replay", () => {
  let server: Workerd;
  beforeAll(async () => {
    server = await startWorkerd({
      vars: { HOLDFAST_LOG_LEVEL: "error", HOLDFAST_MESSAGE_TTL_MS: "1500" },
    });
  });
  afterAll(() => server.close());

  it("goes when its time is up, the call's row with it, and the session stays", async () => {
    const session = await openSession(server.url);
    const stream = await session.stream(toolCall("sleep", { ms: 250, steps: 0 }, { id: 7 }));
    await stream.message((message) => message.id === 7);
    const kept = await inspect(server.url, session.id);
    expect(kept.tables["stream"]).toHaveLength(1);
    expect(kept.tables["event"]).toHaveLength(1);
    await eventually(async () => {
      const { tables } = await inspect(server.url, session.id);
      expect(tables["stream"]).toEqual([]);
      expect(tables["event"]).toEqual([]);
    });
    expect(await session.tool("echo", { text: "still here" })).toBe("still here");
  });
});
