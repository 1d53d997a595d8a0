/** How connections end: why, once, and how the client goes on. @module */
import { describe, expect, test } from "vitest";
import { endingsOf, reasonsOf } from "../support/endings.ts";
import { openSession, type McpSession } from "../support/mcp.ts";
import { type Message, numbersOf, textOf, toolCall, upTo, VERSIONS } from "../support/messages.ts";
import { openSse } from "../support/http-sse.ts";
import { messageOf } from "../support/sse.ts";
import { serve, type Served, type Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

/** Waits until the hook has run for these reasons, and sees that it ran once for each. */
async function endedBy(
  server: Served,
  session: Pick<McpSession, "id">,
  reasons: readonly string[],
): Promise<void> {
  const ended = await eventually(() => {
    const found = endingsOf(server, session);
    expect(found.length).toBeGreaterThanOrEqual(reasons.length);
    return found;
  });
  expect(ended.map(({ reason }) => reason)).toEqual(reasons);
  expect(new Set(ended.map(({ connectionId }) => connectionId)).size).toBe(reasons.length);
  for (const { durationMs } of ended) expect(durationMs).toBeGreaterThanOrEqual(0);
}

export function testDisconnects(subject: Subject): void {
  describe.concurrent("onDisconnect, once for each connection (C-17, L-12, L-13)", () => {
    const server = serve(subject, { HOLDFAST_KEEPALIVE_INTERVAL_MS: "100" });

    test("client: it left, by GET, by POST and by HTTP+SSE alike", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await stream.next();
      stream.leave();
      await endedBy(server, session, ["client"]);
      const call = await session.stream(toolCall("sleep", { ms: 60_000 }));
      call.leave();
      await endedBy(server, session, ["client", "client"]);
      const sse = await openSse(server.url);
      sse.stream.leave();
      await endedBy(server, sse, ["client"]);
    });

    test("done: the call was answered", async () => {
      const session = await openSession(server.url);
      await (await session.stream(toolCall("sleep", { ms: 300 }))).rest();
      await endedBy(server, session, ["done"]);
    });

    test("done: the rest of the call was replayed", async () => {
      const session = await openSession(server.url);
      const call = await session.stream(toolCall("emit", { count: 3 }));
      await call.messages(1);
      const place = call.lastEventId;
      await call.rest();
      await (await session.get(place)).rest();
      await endedBy(server, session, ["done", "done"]);
    });

    test("replaced: another GET took over", async () => {
      const session = await openSession(server.url);
      const first = await session.get();
      const second = await session.get();
      await first.rest();
      await endedBy(server, session, ["replaced"]);
      second.leave();
      await endedBy(server, session, ["replaced", "client"]);
    });

    test("deleted: the session ended, for every stream that was open", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      const call = await session.stream(toolCall("sleep", { ms: 60_000 }));
      await session.fetch("DELETE");
      await stream.rest();
      await call.rest();
      await eventually(() => expect(endingsOf(server, session)).toHaveLength(2));
      const reasons = reasonsOf(server, session);
      // The call got its last answer with it: either word is right.
      expect(reasons.filter((reason) => reason !== "done")).toContain("deleted");
    });

    test("closed: the tool asked for it", async () => {
      const session = await openSession(server.url);
      await (await session.stream(toolCall("test_reconnection"))).rest();
      await endedBy(server, session, ["closed"]);
    });

    test("nothing, where no stream was opened", async () => {
      const session = await openSession(server.url);
      await session.tool("echo", { text: "quick" });
      expect((await session.fetch("GET", { "Last-Event-ID": "no.such" })).status).toBe(400);
      await (await session.stream(toolCall("sleep", { ms: 300 }))).rest();
      await endedBy(server, session, ["done"]);
    });
  });

  describe.concurrent("a stream's age (L-11)", () => {
    const server = serve(subject, { HOLDFAST_MAX_STREAM_MS: "1000", HOLDFAST_RETRY_MS: "250" });

    test("timeout: `retry:` was said, in no frame of its own, and the session stays", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      expect(await stream.rest()).toEqual([]);
      expect(stream.text).toMatch(/^id: \S+\nretry: 250\ndata: \n\n$/);
      await endedBy(server, session, ["timeout"]);
      expect(server.events()).toContainEqual(expect.objectContaining({ type: "connection.timeout" }));
      expect(await session.tool("echo", { text: "alive" })).toBe("alive");
    });

    test.each(VERSIONS)("in %s, a client that resumes each time loses nothing", async (version) => {
      const session = await openSession(server.url, { version });
      const numbers: number[] = [];
      let stream = await session.get();
      let connections = 1;
      await session.tool("emit", { count: 200, intervalMs: 20, on: "standalone" });
      while (numbers.length < 200) {
        // Before 2025-11-25 it breaks, for clients that do not come back otherwise.
        const item = await stream.next().catch(() => undefined);
        if (item === undefined) {
          stream = await session.get(stream.lastEventId);
          connections += 1;
          continue;
        }
        const message = messageOf(item);
        if (message !== undefined) numbers.push(...numbersOf([message]));
      }
      expect(numbers).toEqual(upTo(200));
      expect(connections).toBeGreaterThanOrEqual(2);
      stream.leave();
    });

    test("a call that takes longer than a stream may is finished by resuming", async () => {
      const session = await openSession(server.url);
      let stream = await session.stream(toolCall("sleep", { ms: 4000, steps: 5 }, { progressToken: "p" }));
      const messages: Message[] = [];
      for (let connections = 1; ; connections++) {
        messages.push(...(await stream.rest()));
        if (textOf(messages.at(-1) ?? {}) === "slept") {
          expect(connections).toBeGreaterThanOrEqual(2);
          break;
        }
        expect(stream.text.match(/^id: \S+\nretry: 250\ndata: \n\n/g)).toHaveLength(1);
        expect(stream.text.match(/^retry:/gm)).toHaveLength(1);
        stream = await session.get(stream.lastEventId);
      }
      expect(messages.map((message) => message.params?.["progress"] ?? textOf(message))).toEqual([
        ...upTo(5),
        "slept",
      ]);
    });
  });
}
