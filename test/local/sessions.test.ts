/** Sessions and their file: each keeps its own, leaves nothing when it ends, and outlives the process. */
import { describe, expect, test } from "vitest";
import { openDatabase } from "../../src/local/database.ts";
import { answerOf, openSession, post } from "../support/mcp.ts";
import { initialize, request, toolCall } from "../support/messages.ts";
import { createTestServer } from "../support/test-server.ts";
import { freshFile, served } from "./served.ts";

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
