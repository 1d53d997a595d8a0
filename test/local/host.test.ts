/** The host in one process, through its router: what only this host does. */
import { existsSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { createLocalMcp, localHost } from "../../src/local/index.ts";
import { openDatabase } from "../../src/local/database.ts";
import { answerOf, type McpSession, openSession, post } from "../support/mcp.ts";
import { initialize, LATEST, request, toolCall } from "../support/messages.ts";
import { readEvents } from "../support/sse.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually, within } from "../support/wait.ts";
import { directory, freshFile, type Served, served } from "./served.ts";

/** Rows of each table that holds any. */
function rowsIn(path: string): Record<string, number> {
  const sqlite = openDatabase(path);
  try {
    const counts = ["session", "stream", "event", "entry", "alarm"].map(
      (table) =>
        [table, sqlite.exec<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)[0]?.n ?? 0] as const,
    );
    return Object.fromEntries(counts.filter(([, n]) => n > 0));
  } finally {
    sqlite.close();
  }
}

describe("sessions and the file", () => {
  test("ids are 32 random bytes in hex, and no two are alike", async () => {
    const { url } = await served();
    const ids = await Promise.all(Array.from({ length: 20 }, async () => (await openSession(url)).id));
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(ids).size).toBe(20);
  });

  test("an id that was never issued is nobody's, and asking leaves nothing, in memory or in the file", async () => {
    const database = freshFile();
    const { url, host, close } = await served({ database });
    for (const id of ["0".repeat(64), "x", "1' OR '1'='1".replaceAll(/\W/g, "_")]) {
      const answer = await post(`${url}/mcp`, request("tools/list"), { "Mcp-Session-Id": id });
      expect(answer.status).toBe(404);
    }
    expect(host.inMemory).toBe(0);
    await close();
    expect(rowsIn(database)).toEqual({});
  });

  test("sessions in one file keep their state, subscriptions and streams apart", async () => {
    const { url } = await served({ database: freshFile() });
    const [a, b] = [await openSession(url), await openSession(url)];
    expect(await a.tool("counter", { by: 5 })).toBe("5");
    expect(await b.tool("counter", { by: 2 })).toBe("2");
    const stream = await b.get();
    await a.tool("emit", { count: 1, on: "standalone" });
    await b.tool("emit", { count: 2, on: "standalone" });
    expect((await stream.messages(2)).map(({ params }) => params?.["data"])).toEqual([{ n: 1 }, { n: 2 }]);
    stream.leave();
    expect(await a.tool("counter")).toBe("6");
  });

  test("a deleted session leaves nothing, and its neighbours all they have", async () => {
    const database = freshFile();
    const { url, close } = await served({ database });
    const [kept, deleted] = [await openSession(url), await openSession(url)];
    for (const session of [kept, deleted]) {
      await session.tool("counter");
      await session.tool("emit", { count: 3, on: "standalone" });
      await session.tool("settle");
    }
    expect((await deleted.fetch("DELETE")).status).toBe(204);
    expect(await kept.tool("counter")).toBe("2");
    await close();
    const rows = rowsIn(database);
    expect(rows).toMatchObject({ session: 1, alarm: 1, entry: 1 });
  });

  test("a server that refuses `initialize` leaves nothing of what its factory stored", async () => {
    const database = freshFile();
    const { url, host, close } = await served({
      database,
      createServer: (context) => {
        context.session?.state.set("mine", 1);
        throw new Error("not today");
      },
    });
    const answer = await post(`${url}/mcp`, initialize());
    expect(answer.status).toBe(503);
    expect(host.inMemory).toBe(0);
    await close();
    expect(rowsIn(database)).toEqual({});
  });

  test("what a server of a deleted session still does fails, and is stored for nobody", async () => {
    const database = freshFile();
    let set: ((value: number) => void) | undefined;
    const { url, close } = await served({
      database,
      createServer: (context) => {
        set = (value) => context.session?.state.set("late", value);
        return createTestServer(context);
      },
    });
    const session = await openSession(url);
    set?.(1);
    await session.fetch("DELETE");
    expect(() => set?.(2)).toThrow("The session has ended");
    await close();
    expect(rowsIn(database)).toEqual({});
  });

  test("a tool that outlives its session may close the session's streams: there are none", async () => {
    let close: (() => void) | undefined;
    const { url } = await served({
      createServer: (context) => {
        const server = createTestServer(context);
        server.registerTool("keep", { description: "Keeps its context" }, (ctx) => {
          close = ctx.http?.closeStandaloneSSE;
          return { content: [] };
        });
        return server;
      },
    });
    const session = await openSession(url);
    await session.tool("keep");
    await session.fetch("DELETE");
    expect(close).toBeDefined();
    expect(() => close?.()).not.toThrow();
  });

  test("the next host on the file takes sessions up where they were", async () => {
    const database = freshFile();
    const first = await served({ database });
    const session = await openSession(first.url);
    expect(await session.tool("counter", { by: 5 })).toBe("5");
    await session.tool("emit", { count: 2, on: "standalone" });
    await session.tool("settle");
    await first.close();

    const second = await served({ database });
    const again = (message: unknown): Promise<Response> =>
      post(`${second.url}/mcp`, message, session.headers);
    const answer = await answerOf(await again(toolCall("counter")));
    expect(answer.result).toMatchObject({ content: [{ text: "6" }] });
    const other = await openSession(second.url);
    expect(await other.tool("counter")).toBe("1");
    expect(second.events.some(({ type }) => type === "session.rehydrated")).toBe(true);
  });
});

describe("a server that takes its time to be built", () => {
  /** A session in the store alone, whose next server waits for `release`. */
  async function slow(): Promise<
    Served & { session: McpSession; release: () => void; building: () => number }
  > {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let built = 0;
    let slowId: string | undefined;
    const server = await served({
      evictAfterMs: 10,
      createServer: async (context) => {
        if (context.session?.id === slowId) {
          built += 1;
          await released;
        }
        return createTestServer(context);
      },
    });
    const session = await openSession(server.url);
    await eventually(() => expect(server.host.inMemory).toBe(0));
    slowId = session.id;
    return { ...server, session, release, building: () => built };
  }

  test("keeps its session in memory, and requests that come meanwhile share it", async () => {
    const { session, release, building, url, host } = await slow();
    const calls = Array.from({ length: 5 }, () => session.tool("counter"));
    await eventually(() => expect(building()).toBe(1));
    // Another comes and is evicted; this one is being built.
    await openSession(url);
    await eventually(() => expect(host.inMemory).toBe(1));
    release();
    expect((await Promise.all(calls)).toSorted()).toEqual(["1", "2", "3", "4", "5"]);
    expect(building()).toBe(1);
  });

  test("for a call that runs again is not given up because the client leaves once more", async () => {
    const database = freshFile();
    const rerun = (): boolean => true;
    const first = await served({ database, rerun });
    const session = await openSession(first.url);
    const call = toolCall("sleep", { ms: 200 });
    const stream = await session.stream(call);
    await first.close();
    await stream.rest();

    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let built = 0;
    const second = await served({
      database,
      rerun,
      evictAfterMs: 10,
      createServer: async (context) => {
        if (context.session?.id === session.id) {
          built += 1;
          await released;
        }
        return createTestServer(context);
      },
    });
    const resume = (): Promise<Response> => {
      const headers = {
        ...session.headers,
        Accept: "text/event-stream",
        "Last-Event-ID": stream.lastEventId ?? "",
      };
      return fetch(`${second.url}/mcp`, { headers });
    };
    readEvents(await resume()).leave();
    await eventually(() => expect(built).toBe(1));
    // Others come and are evicted; this one is being built.
    await openSession(second.url);
    await eventually(() => expect(second.host.inMemory).toBe(1));
    release();
    expect(await answerOf(await resume())).toMatchObject({
      id: call.id,
      result: { content: [{ text: "slept" }] },
    });
    expect(built).toBe(1);
  });

  test("and whose session is deleted meanwhile: those who wait are told 404", async () => {
    const { session, release, building } = await slow();
    const waiting = session.post(request("tools/list"));
    await eventually(() => expect(building()).toBe(1));
    expect((await session.fetch("DELETE")).status).toBe(204);
    release();
    expect((await waiting).status).toBe(404);
  });
});

describe("where there is no file", () => {
  test("one line says that sessions end with the process", () => {
    const lines: string[] = [];
    const warn = vi.spyOn(console, "warn").mockImplementation((line: string) => void lines.push(line));
    const host = localHost({ createServer: createTestServer });
    warn.mockRestore();
    void host.close();
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      type: "storage.memory",
      level: "warn",
      message: "Sessions are kept in memory and end with this process; set `database` to keep them",
    });
  });

  test("with a file, nothing is said", () => {
    const warn = vi.spyOn(console, "warn");
    void localHost({ createServer: createTestServer, database: freshFile() }).close();
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});

describe("options", () => {
  test.each([9, 1.5, Number.NaN, 86_400_001])("evictAfterMs %s is refused by name", (evictAfterMs) => {
    expect(() => localHost({ createServer: createTestServer, evictAfterMs })).toThrow(
      /^evictAfterMs must be/,
    );
  });

  test("an option that is wrong is refused before the file is made", () => {
    const database = freshFile();
    expect(() => createLocalMcp({ createServer: createTestServer, database, retryMs: -1 })).toThrow(
      /retryMs/,
    );
    expect(existsSync(database)).toBe(false);
  });

  test("`env` is what the factory gets, on every way to it", async () => {
    const seen: unknown[] = [];
    const { url } = await served({
      env: { secret: "s" },
      evictAfterMs: 10,
      createServer: (context) => {
        seen.push(context.env);
        return createTestServer(context);
      },
    });
    const session = await openSession(url);
    await eventually(async () => {
      await session.tool("whoami");
      expect(seen.length).toBeGreaterThan(1);
    });
    for (const env of seen) expect(env).toEqual({ secret: "s" });
  });
});

describe("close", () => {
  test("ends open streams with the hint to come back, and says why", async () => {
    const database = freshFile();
    const { url, close, events } = await served({ database, retryMs: 1234 });
    const session = await openSession(url);
    const [standalone, call] = [await session.get(), await session.stream(toolCall("emit", { count: 1 }))];
    expect(await call.rest()).toHaveLength(2);
    await standalone.next();
    const closing = close();
    await standalone.rest();
    expect(standalone.seen.at(-1)).toEqual({ type: "retry", ms: 1234 });
    await closing;
    expect(events).toContainEqual(expect.objectContaining({ type: "connection.closed", reason: "shutdown" }));
  });

  test("a call in progress that may not run again ends with one clear error", async () => {
    const { url, close } = await served();
    const session = await openSession(url);
    const call = toolCall("sleep", { ms: 600_000 });
    const stream = await session.stream(call);
    const closing = close();
    expect(await stream.rest()).toEqual([
      expect.objectContaining({
        id: call.id,
        error: expect.objectContaining({ code: -32603, data: { reason: "interrupted", retryable: false } }),
      }),
    ]);
    await closing;
  });

  test("a call that nobody has answered yet, as JSON or as a stream, ends with that error too", async () => {
    const { url, close } = await served({ quickAnswerMs: 1000 });
    const session = await openSession(url);
    const json = session.post(toolCall("sleep", { ms: 600_000 }), { Accept: "application/json" });
    const either = session.post(toolCall("sleep", { ms: 600_000 }));
    // A quick call behind them has been answered: they are in progress.
    await session.tool("echo", { text: "" });
    const closing = close();
    for (const answer of [await json, await either]) {
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(await answer.json()).toMatchObject({ error: { data: { reason: "interrupted" } } });
    }
    await closing;
  });

  test("a call in progress that may run again does, in the next process, for the client that comes back", async () => {
    const database = freshFile();
    const rerun = (): boolean => true;
    const first = await served({ database, rerun });
    const session = await openSession(first.url);
    const call = toolCall("sleep", { ms: 300 });
    const stream = await session.stream(call);
    const closing = first.close();
    expect(await stream.rest()).toEqual([]);
    await closing;
    const second = await served({ database, rerun });
    const resumed = await fetch(`${second.url}/mcp`, {
      headers: { ...session.headers, Accept: "text/event-stream", "Last-Event-ID": stream.lastEventId ?? "" },
    });
    expect(await answerOf(resumed)).toMatchObject({ id: call.id, result: { content: [{ text: "slept" }] } });
  });

  test("a client of before 2025-11-25 cannot come back: its call that may run again ends with an error", async () => {
    const { url, close } = await served({ rerun: () => true });
    const session = await openSession(url, { version: "2025-06-18" });
    const stream = await session.stream(toolCall("sleep", { ms: 600_000 }));
    const closing = close();
    expect(await stream.rest()).toMatchObject([
      { error: { data: { reason: "interrupted", retryable: true } } },
    ]);
    await closing;
  });

  test("what the client had read is known to the next process: a GET without an id goes on after it", async () => {
    const database = freshFile();
    const first = await served({ database });
    const session = await openSession(first.url);
    const stream = await session.get();
    await session.tool("burst", { tag: "before", sizes: [1, 1, 1], on: "standalone" });
    await stream.messages(3);
    await first.close();
    const second = await served({ database });
    const burst = toolCall("burst", { tag: "after", sizes: [1], on: "standalone" });
    await post(`${second.url}/mcp`, burst, session.headers);
    const headers = { ...session.headers, Accept: "text/event-stream" };
    const resumed = readEvents(await fetch(`${second.url}/mcp`, { headers }));
    expect((await resumed.message()).params).toMatchObject({ data: { tag: "after" } });
    resumed.leave();
  });

  test("and to the one after it, though the stream was on record before", async () => {
    const database = freshFile();
    let session: McpSession | undefined;
    for (const tag of ["first", "second", "third"]) {
      const { url, close, events } = await served({ database });
      session ??= await openSession(url);
      const burst = toolCall("burst", { tag, sizes: [1], on: "standalone" });
      await post(`${url}/mcp`, burst, session.headers);
      const headers = { ...session.headers, Accept: "text/event-stream" };
      const stream = readEvents(await fetch(`${url}/mcp`, { headers }));
      expect((await stream.message()).params).toMatchObject({ data: { tag } });
      await close();
      expect(events.filter(({ type }) => type === "send.error")).toEqual([]);
    }
  });

  test("a server that is still being built keeps nobody waiting", async () => {
    const { url, close, host } = await served({ createServer: () => new Promise(() => {}) });
    const opening = post(`${url}/mcp`, initialize(LATEST));
    await eventually(() => expect(host.inMemory).toBe(1));
    const closing = close();
    expect((await opening).status).toBe(503);
    await within(closing, "the end of the server");
  });

  test("is done once, however often it is asked for; a request after it is turned away, not told 404", async () => {
    const { router, close, host } = await served({ database: `${directory()}/x.db` });
    await Promise.all([host.close(), host.close(), close()]);
    const answer = await router.request("/mcp", {
      headers: { Accept: "text/event-stream", "Mcp-Session-Id": "0".repeat(64) },
    });
    expect(answer.status).toBe(503);
  });
});
