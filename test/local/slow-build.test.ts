/** A session whose server takes its time to be built: one is built, for all who wait. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { describe, expect, test } from "vitest";
import { ACCEPT_BOTH, answerOf, type McpSession, openSession } from "../support/mcp.ts";
import { request, toolCall } from "../support/messages.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";
import { freshFile, type Served, served } from "./served.ts";

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
    const resume = (signal?: AbortSignal): Promise<Response> => {
      const headers = {
        ...session.headers,
        Accept: "text/event-stream",
        "Last-Event-ID": stream.lastEventId ?? "",
      };
      return fetch(`${second.url}/mcp`, { headers, ...(signal && { signal }) });
    };
    // What may run again asks its server first what it needs, so that there is no response yet.
    const left = new AbortController();
    const once = resume(left.signal).catch(() => undefined);
    await eventually(() => expect(built).toBe(1));
    left.abort();
    await once;
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

  // One that reads JSON alone is waited for by nothing but the call itself.
  test.each(["application/json", ACCEPT_BOTH])(
    "for a request without a session, whose client leaves meanwhile (%s), is ended, and called no more",
    async (accept) => {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      let closed = 0;
      let called = 0;
      let isBuilding = false;
      const server = await served({
        async createServer() {
          isBuilding = true;
          await released;
          const built = new McpServer({ name: "slow", version: "1" });
          Object.assign(built.server, { onclose: () => (closed += 1) });
          built.registerTool("never", {}, () => {
            called += 1;
            return new Promise(() => {});
          });
          return built;
        },
      });
      const leave = new AbortController();
      const posted = fetch(`${server.url}/mcp`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: accept },
        body: JSON.stringify(toolCall("never")),
        signal: leave.signal,
      });
      await eventually(() => expect(isBuilding).toBe(true));
      leave.abort();
      await expect(posted).rejects.toThrow();
      // The server hears of it in a turn of its own.
      expect((await fetch(`${server.url}/health`)).status).toBe(200);
      release();
      await eventually(() => expect(closed).toBe(1));
      expect(called).toBe(0);
      expect(server.events.map(({ type }) => type)).not.toContain("request.error");
    },
  );
});
