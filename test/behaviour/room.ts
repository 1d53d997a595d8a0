/** Calls that hold much for as long as they run: how many there may be, and when there is room again. @module */
import { describe, expect, test } from "vitest";
import { ACCEPT_BOTH, type McpSession, openSession, post } from "../support/mcp.ts";
import { type Message, notification, textOf, toolCall } from "../support/messages.ts";
import { modernRequest, postModern } from "../support/modern.ts";
import { expectNotNow } from "../support/not-now.ts";
import { readEvents } from "../support/sse.ts";
import { serve, type Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

const KIB = 1024;
/** 100 kB of text that are millions of bytes as objects. */
const big = Array.from({ length: 33_000 }, () => ({}));
/** More than is passed over, and much less than is held back for such. */
const small = "x".repeat(10_000);

/** Sends a call that runs on; what ends its client's wait for it. */
async function hanging(
  send: (message: Message, signal: AbortSignal) => Promise<Response>,
): Promise<() => void> {
  const controller = new AbortController();
  const answer = await send(toolCall("hang", { tag: "room", streams: true, big }), controller.signal);
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  return () => controller.abort();
}

export function testRoom(subject: Subject): void {
  // Not concurrent: one test's calls would be in the way of the other's.
  describe("calls that hold much", () => {
    const server = serve(subject, {
      HOLDFAST_MAX_BODY_BYTES: String(300 * KIB),
      HOLDFAST_MAX_BODY_BYTES_IN_FLIGHT: String(400 * KIB),
      // Where only what is written meets the end of a client, that is by keepalives.
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "500",
      // Each has a room of its own.
      TEST_PROCESSES: "1",
    });
    const mcp = (): string => `${server.url}/mcp`;
    const large = (): Message => toolCall("echo", { text: "large", big });

    /** A large call is turned away, and a small one is not. */
    const expectFull = async (session: McpSession): Promise<void> => {
      const call = large();
      await expectNotNow(await session.post(call), call.id);
      expect(await session.tool("echo", { text: small })).toBe(small);
    };
    const expectRoom = (session: McpSession): Promise<void> =>
      eventually(async () => expect((await session.request(large())).result).toBeDefined(), 20_000);

    test("in a session: until they are answered, cancelled, or their session is ended", async () => {
      const session = await openSession(server.url);
      await expectRoom(session);
      const call = toolCall("hang", { tag: "room", streams: true, big });
      const leave = await hanging((_, signal) => session.post(call, {}, signal));
      await expectFull(session);
      // It runs on, whether its client is there or not.
      leave();
      await expectFull(session);
      await session.post(notification("notifications/cancelled", { requestId: call.id }));
      await expectRoom(session);

      const other = await openSession(server.url);
      const left = await hanging((message, signal) => other.post(message, {}, signal));
      await expectFull(session);
      expect((await other.fetch("DELETE")).status).toBe(204);
      left();
      await expectRoom(session);
    });

    test("without a session: until their clients leave", async () => {
      const leave = await hanging((message, signal) => post(mcp(), message, {}, signal));
      const call = large();
      await expectNotNow(await post(mcp(), call), call.id);
      leave();
      await eventually(async () => {
        expect(await (await post(mcp(), large())).json()).toHaveProperty("result");
      }, 20_000);
    });

    test("of 2026-07-28: until their clients leave", async () => {
      const modern = ({ params }: Message): Message => modernRequest("tools/call", params);
      const leave = await hanging((message, signal) => postModern(server.url, modern(message), {}, signal));
      const answer = await postModern(server.url, modern(large()));
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
      leave();
      await eventually(async () => {
        expect((await postModern(server.url, modern(large()))).status).toBe(200);
      }, 20_000);
    });
  });

  describe("answers of a batch that are more than one body may hold", () => {
    const server = serve(subject, { HOLDFAST_MAX_EVENT_BYTES: "100000" });
    const batch = Array.from({ length: 5 }, (_, index) =>
      toolCall("bulk", { size: 40_000, ms: 0 }, { id: `bulk ${index}` }),
    );
    const sizeOf = (answer: Message): unknown => textOf(answer)?.length ?? answer.error?.data;
    const TOO_LARGE = { reason: "too-large" };

    const ways = {
      "in a session": async (accept: string) => {
        const session = await openSession(server.url, { version: "2025-03-26" });
        return session.post(batch, { Accept: accept });
      },
      "without a session": (accept: string) => post(`${server.url}/mcp`, batch, { Accept: accept }),
    };

    test.each(Object.entries(ways))(
      "%s: the rest are errors for a client that reads JSON alone",
      async (_, send) => {
        const answers = (await (await send("application/json")).json()) as Message[];
        expect(answers.map(({ id }) => id).toSorted()).toEqual(batch.map(({ id }) => id));
        expect(answers.map(sizeOf)).toEqual([40_000, 40_000, TOO_LARGE, TOO_LARGE, TOO_LARGE]);
      },
    );

    test.each(Object.entries(ways))("%s: they come one by one on a stream", async (_, send) => {
      const stream = readEvents(await send(ACCEPT_BOTH));
      const ids: unknown[] = [];
      for (const _each of batch) {
        const answer = await stream.message();
        expect(sizeOf(answer)).toBe(40_000);
        ids.push(answer.id);
      }
      expect(ids.toSorted()).toEqual(batch.map(({ id }) => id));
      stream.leave();
    });
  });

  describe("a message that nests too deep", () => {
    const server = serve(subject);

    test.each([1001, 30_000])("%d levels: is refused under its id, in every era", async (depth) => {
      const deep = (message: object): string =>
        JSON.stringify(message).replace('"@"', "[".repeat(depth) + "]".repeat(depth));
      const call = toolCall("echo", { text: "deep", deep: "@" });
      const modern = modernRequest("tools/call", { name: "echo", arguments: { text: "deep", deep: "@" } });
      const listen = modernRequest("subscriptions/listen", {
        notifications: { toolsListChanged: true },
        deep: "@",
      });
      const session = await openSession(server.url);
      const answers = [
        [call, await post(mcpOf(server.url), deep(call))],
        [call, await session.post(deep(call))],
        [modern, await post(mcpOf(server.url), deep(modern), { "MCP-Protocol-Version": "2026-07-28" })],
        [listen, await post(mcpOf(server.url), deep(listen), { "MCP-Protocol-Version": "2026-07-28" })],
      ] as const;
      for (const [{ id }, answer] of answers) {
        expect(answer.status).toBe(400);
        expect(await answer.json()).toMatchObject({ id, error: { code: -32600 } });
      }
      expect(await session.tool("echo", { text: "alive" })).toBe("alive");
    });
  });
}

const mcpOf = (url: string): string => `${url}/mcp`;
