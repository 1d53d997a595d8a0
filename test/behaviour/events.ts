/** Structured events: which, in what order, and what they never tell. @module */
import { describe, expect, test } from "vitest";
import { type McpSession, openSession } from "../support/mcp.ts";
import { type Message, request, toolCall } from "../support/messages.ts";
import { type Served, serve, type Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

type Event = ReturnType<Served["events"]>[number];

/** Events about a session and its standalone connections, in order; requests and calls are logged beside them. */
function lifeOf(server: Served, session: McpSession): Event[] {
  const short = session.id.slice(0, 8);
  const connections = new Set(
    server.events().flatMap((event) => (event["session"] === short ? [event["connectionId"]] : [])),
  );
  connections.delete(undefined);
  return server
    .events()
    .filter(
      ({ type, session: id, connectionId }) =>
        type !== "request" &&
        !/^(call|stream)\./.test(type) &&
        (id === short || connections.has(connectionId)),
    );
}

const typesOf = (events: readonly Event[]): string[] => events.map(({ type }) => type);

const OPENED = ["connection.establishing", "connection.setup", "keepalive.start", "connection.established"];
const ANSWERED = ["ping.sent", "ping.sent"];
const STALLED = [
  "ping.sent",
  "ping.failed",
  "ping.sent",
  "ping.failed",
  "ping.sent",
  "ping.failed",
  "connection.max_failures",
  "connection.force_close",
];
const CLOSED = ["connection.closed", "test.disconnect"];

export function testEvents(subject: Subject): void {
  describe.concurrent("structured events (behaviours.md §7)", () => {
    const server = serve(subject, { TEST_EVENTS: "on" });

    test("a session's life: exactly these, in this order, none above info", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await session.tool("emit", { count: 3, on: "standalone" });
      await stream.messages(3);
      await session.fetch("DELETE");
      await stream.rest();
      const expected = ["session.created", ...OPENED, "session.terminated", ...CLOSED];
      await eventually(() => expect(typesOf(lifeOf(server, session))).toEqual(expected));
      expect(lifeOf(server, session).map(({ level }) => level)).toEqual([
        "info",
        "debug",
        "info",
        "debug",
        "debug",
        "info",
        "info",
        undefined,
      ]);
    });

    test("each connection's events carry its id, which is not the session's, and its fields", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await stream.next();
      await session.fetch("DELETE");
      await eventually(() => expect(typesOf(lifeOf(server, session))).toContain("connection.closed"));
      const [, establishing, ...rest] = lifeOf(server, session);
      const connectionId = establishing?.["connectionId"];
      expect(connectionId).toMatch(/^[0-9a-f-]{36}$/);
      const short = session.id.slice(0, 8);
      expect(rest).toEqual([
        {
          type: "connection.setup",
          level: "info",
          time: expect.any(Number),
          connectionId,
          session: short,
          resumed: false,
        },
        {
          type: "keepalive.start",
          level: "debug",
          time: expect.any(Number),
          connectionId,
          intervalMs: 15_000,
          maxStreamMs: 3_600_000,
        },
        { type: "connection.established", level: "debug", time: expect.any(Number), connectionId },
        {
          type: "session.terminated",
          level: "info",
          time: expect.any(Number),
          session: short,
          durationMs: expect.any(Number),
        },
        {
          type: "connection.closed",
          level: "info",
          time: expect.any(Number),
          connectionId,
          reason: "deleted",
          durationMs: expect.any(Number),
          framesSent: 1,
        },
        {
          type: "test.disconnect",
          sessionId: session.id,
          connectionId,
          reason: "deleted",
          durationMs: expect.any(Number),
        },
      ]);
    });

    test("frames are counted as such, however they are packed", async () => {
      const session = await openSession(server.url);
      // What waited is sent in as few pieces as possible.
      await session.tool("emit", { count: 500, on: "standalone" });
      const stream = await session.get();
      await stream.messages(500);
      await session.fetch("DELETE");
      await eventually(() => {
        const closed = lifeOf(server, session).find(({ type }) => type === "connection.closed");
        // The priming event is one, too.
        expect(closed?.["framesSent"]).toBe(501);
      });
    });

    test("a client that leaves and resumes: no warning anywhere (L-10)", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await session.tool("emit", { count: 2, on: "standalone" });
      await stream.messages(1);
      stream.leave();
      const resumed = await session.get(stream.lastEventId);
      await resumed.messages(1);
      await session.fetch("DELETE");
      await eventually(() => {
        const life = lifeOf(server, session);
        expect(life.filter(({ type }) => type === "connection.closed")).toHaveLength(2);
        expect(
          life.filter(({ type }) => type === "connection.setup").map(({ resumed: again }) => again),
        ).toEqual([false, true]);
        expect(life.map(({ level }) => level)).not.toEqual(expect.arrayContaining(["warn"]));
        expect(life.map(({ level }) => level)).not.toEqual(expect.arrayContaining(["error"]));
      });
    });

    test("each request is told at debug: method, session, status, types, and no more (P-34)", async () => {
      const session = await openSession(server.url);
      await session.post(request("ping"), { Authorization: "Bearer s3cret" });
      await eventually(() => {
        const told = server
          .events()
          .filter(({ type, session: id }) => type === "request" && id === session.id.slice(0, 8));
        expect(told.at(-1)).toEqual({
          type: "request",
          level: "debug",
          time: expect.any(Number),
          method: "POST",
          session: session.id.slice(0, 8),
          status: 200,
          contentType: "application/json",
          accept: "application/json, text/event-stream",
        });
      });
    });

    test("no payload, no credential and no whole session id appears", async () => {
      const session = await openSession(server.url, { capabilities: { elicitation: {} } });
      const stream = await session.get();
      await session.post(toolCall("echo", { text: "p4yload" }), { Authorization: "Bearer p4yload" });
      // What a call is about is told: its method, and the name of its tool.
      await session.request(toolCall("no_such_tool", { text: "p4yload" }));
      const call = await session.stream(toolCall("ask", { message: "p4yload" }));
      const asked = await call.message(({ method }) => method === "elicitation/create");
      const content = { answer: "p4yload" };
      await session.post({ jsonrpc: "2.0", id: asked.id, result: { action: "accept", content } });
      await session.post({ jsonrpc: "2.0", id: "p4yload", result: content });
      await session.post('{"p4yload"', {});
      await session.post(request("no/such", { name: "p4yload" }), { "Last-Event-ID": "p4yload" });
      await session.fetch("GET", { "Last-Event-ID": "p4yload" });
      await session.fetch("DELETE");
      await stream.rest();
      await eventually(() => expect(typesOf(lifeOf(server, session))).toContain("connection.closed"));
      const lines = server.lines.filter((line) => !line.includes('"test.disconnect"'));
      expect(lines.filter((line) => line.includes("p4yload"))).toEqual([]);
      expect(lines.filter((line) => line.includes(session.id.slice(0, 9)))).toEqual([]);
    });
  });

  describe.concurrent("structured events of a client that stops answering", () => {
    const server = serve(subject, {
      TEST_EVENTS: "on",
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "1000",
      HOLDFAST_KEEPALIVE_MODE: "jsonrpc",
    });

    test("two pings answered, then three failures: exactly these, in this order", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      for (let n = 0; n < 2; n++) {
        const ping: Message = await stream.message();
        await session.post({ jsonrpc: "2.0", id: ping.id, result: {} });
      }
      expect(await stream.untilBroken()).toHaveLength(3);
      await eventually(() => expect(typesOf(lifeOf(server, session))).toContain("test.disconnect"));
      const [created, ...life] = lifeOf(server, session);
      expect(created?.type).toBe("session.created");
      expect(typesOf(life)).toEqual([...OPENED, ...ANSWERED, ...STALLED, ...CLOSED]);
      expect(new Set(life.map(({ connectionId }) => connectionId)).size).toBe(1);
      const numbers = (type: string, field: string): unknown[] =>
        life.filter((event) => event.type === type).map((event) => event[field]);
      expect(numbers("ping.sent", "pingCount")).toEqual([1, 2, 3, 4, 5]);
      expect(numbers("ping.failed", "consecutiveFailures")).toEqual([1, 2, 3]);
      expect(numbers("connection.max_failures", "failures")).toEqual([3]);
      expect(numbers("connection.closed", "reason")).toEqual(["failures"]);
      const levels = new Map(life.map(({ type, level }) => [type, level]));
      expect(levels.get("ping.sent")).toBe("debug");
      expect(levels.get("ping.failed")).toBe("warn");
    });
  });

  describe.concurrent("the default logger", () => {
    const server = serve(subject, { HOLDFAST_LOG_LEVEL: "warn" });

    test("prints one JSON line for each event from the level up, and nothing below", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await stream.next();
      await session.post({ jsonrpc: "2.0", id: "nobody", result: {} });
      await session.fetch("DELETE");
      await eventually(() =>
        expect(typesOf(server.events())).toEqual(
          expect.arrayContaining(["orphan.response", "test.disconnect"]),
        ),
      );
      const told = server.events().filter(({ type }) => type !== "test.disconnect");
      expect(told).toEqual([
        { type: "orphan.response", level: "warn", time: expect.any(Number), session: session.id.slice(0, 8) },
      ]);
    });
  });
}
