/** A session whose server takes its time to be built: one is built, for all who wait. */
import { describe, expect, test } from "vitest";
import { answerOf, type McpSession, openSession } from "../support/mcp.ts";
import { request, toolCall } from "../support/messages.ts";
import { readEvents } from "../support/sse.ts";
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
