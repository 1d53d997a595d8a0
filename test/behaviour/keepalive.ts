/** What an idle stream carries, in four modes, and when that ends the connection. @module */
import { describe, expect, test } from "vitest";
import { reasonsOf } from "../support/endings.ts";
import { openSse } from "../support/http-sse.ts";
import { openSession, type McpSession } from "../support/mcp.ts";
import { numbersOf, type Message, toolCall, upTo, VERSIONS } from "../support/messages.ts";
import { type EventStream, type Item, isPriming } from "../support/sse.ts";
import { serve, type Served, type Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

const QUICK = "100";

const isOpening = (item: Item): boolean => item.type === "comment" && item.text === "open";

/** The next `count` items that are neither hints nor what opens a stream. */
async function take(stream: EventStream, count: number): Promise<Item[]> {
  const items: Item[] = [];
  while (items.length < count) {
    const item = await stream.next();
    if (item === undefined) throw new Error("the stream ended");
    if (item.type !== "retry" && !isPriming(item) && !isOpening(item)) items.push(item);
  }
  return items;
}

/** Events about the one connection of a session. */
function eventsOf(server: Served, session: McpSession): { type: string; [field: string]: unknown }[] {
  const setup = server
    .events()
    .find(({ type, session: id }) => type === "connection.setup" && id === session.id.slice(0, 8));
  return server.events().filter(({ connectionId }) => connectionId === setup?.["connectionId"]);
}

const jsonOf = (item: Item | undefined): unknown =>
  item?.type === "event" ? JSON.parse(item.data) : undefined;

export function testKeepalive(subject: Subject): void {
  describe.concurrent("keepalive as a comment, the default (C-05)", () => {
    const server = serve(subject, { HOLDFAST_KEEPALIVE_INTERVAL_MS: QUICK });

    test.each(VERSIONS)("in %s, silence is filled with comments, and with nothing else", async (version) => {
      const session = await openSession(server.url, { version });
      const stream = await session.get();
      const items = await take(stream, 3);
      expect(items.every((item) => item.type === "comment" && item.text === "keepalive")).toBe(true);
      // One line each, and no empty one: httpx-sse would make an empty message of it.
      expect(stream.text).toMatch(/\n\n(: keepalive\n){3,}$/);
      stream.leave();
    });

    test("an HTTP+SSE stream is kept alive too (A9)", async () => {
      const { stream } = await openSse(server.url);
      const items = await take(stream, 3);
      expect(items.map(({ type }) => type)).toEqual(["comment", "comment", "comment"]);
      stream.leave();
    });

    test("a call's stream is kept alive too, and ends with its answer", async () => {
      const session = await openSession(server.url);
      const stream = await session.stream(toolCall("sleep", { ms: 700 }, { id: "slow" }));
      expect((await stream.rest()).map(({ id }) => id)).toEqual(["slow"]);
      expect(stream.seen.filter(({ type }) => type === "comment").length).toBeGreaterThanOrEqual(2);
    });

    test("a keepalive moves no event id: the client resumes from the last message", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await session.tool("emit", { count: 2, on: "standalone" });
      await stream.messages(2);
      const place = stream.lastEventId;
      await take(stream, 2);
      expect(stream.lastEventId).toBe(place);
      stream.leave();
    });

    test("a client that has gone is noticed by it, and its stream ends once", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await take(stream, 1);
      stream.leave();
      await eventually(() => expect(reasonsOf(server, session)).toEqual(["client"]));
    });
  });

  describe.concurrent("keepalive and messages", () => {
    const server = serve(subject, { HOLDFAST_KEEPALIVE_INTERVAL_MS: "2500" });

    test("only silence is filled: none while messages come (C-05)", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await session.tool("emit", { count: 40, intervalMs: 50, on: "standalone" });
      const items = await take(stream, 41);
      expect(items.map(({ type }) => type)).toEqual([...Array(40).fill("event"), "comment"]);
      stream.leave();
    });
  });

  describe.concurrent("no keepalive", () => {
    const server = serve(subject, { HOLDFAST_KEEPALIVE_INTERVAL_MS: "0", HOLDFAST_KEEPALIVE_MODE: "event" });

    test("an interval of 0 writes none, however long the silence", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      // Ten times the silence that the servers above fill.
      await session.tool("emit", { count: 3, intervalMs: 1000, on: "standalone" });
      const items = await take(stream, 3);
      expect(numbersOf(items.map(jsonOf) as Message[])).toEqual([1, 2, 3]);
      stream.leave();
    });
  });

  describe.concurrent("keepalive as an event (C-05)", () => {
    const server = serve(subject, {
      HOLDFAST_KEEPALIVE_INTERVAL_MS: QUICK,
      HOLDFAST_KEEPALIVE_MODE: "event",
    });

    test("the event `keepalive` with the data `{}`, and no id", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      const expected = { type: "event", id: undefined, event: "keepalive", data: "{}" };
      expect(await take(stream, 2)).toEqual([expected, expected]);
      expect(stream.text).toContain("\n\nevent: keepalive\ndata: {}\n\n");
      stream.leave();
    });
  });

  describe.concurrent("keepalive as a ping event (L-04)", () => {
    const server = serve(subject, { HOLDFAST_KEEPALIVE_INTERVAL_MS: "400", HOLDFAST_KEEPALIVE_MODE: "ping" });

    test("counts from 1 on each stream, tells the time, and names the connection", async () => {
      const session = await openSession(server.url);
      const opened = Date.now();
      const stream = await session.get();
      const pings = await take(stream, 4);
      const connection = eventsOf(server, session)[0]?.["connectionId"];
      for (const [index, item] of pings.entries()) {
        expect(item).toMatchObject({ type: "event", event: "ping", id: undefined });
        const ping = jsonOf(item) as { data: { timestamp: number; uptime: number; server_time: string } };
        expect(ping).toEqual({
          event: "ping",
          data: {
            timestamp: expect.any(Number),
            ping_count: index + 1,
            connection_id: connection,
            uptime: expect.any(Number),
            server_time: expect.any(String),
          },
        });
        const { timestamp, uptime, server_time: time } = ping.data;
        const at = Date.parse(time);
        expect(Math.floor(at / 1000)).toBe(timestamp);
        expect(at).toBeGreaterThanOrEqual(opened);
        expect(at).toBeLessThanOrEqual(Date.now());
        // No less than the pings before it took, and no more than there was time for.
        expect(uptime).toBeGreaterThanOrEqual(Math.floor((400 * (index + 1)) / 1000));
        expect(uptime).toBeLessThanOrEqual((Date.now() - opened) / 1000);
      }
      const again = await session.get();
      expect(jsonOf((await take(again, 1))[0])).toMatchObject({ data: { ping_count: 1 } });
      again.leave();
    });
  });

  describe.concurrent("keepalive as a JSON-RPC ping (L-05)", () => {
    const server = serve(subject, {
      // Long enough for a busy machine to answer in between.
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "700",
      HOLDFAST_KEEPALIVE_MODE: "jsonrpc",
      HOLDFAST_KEEPALIVE_MAX_FAILURES: "3",
      HOLDFAST_LOG_LEVEL: "debug",
    });
    const isPing = ({ method }: Message): boolean => method === "ping";

    test("pings that are not answered close the stream after the last failure, and keep the session (L-06)", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      const pings = await stream.untilBroken();
      expect(pings.every(isPing)).toBe(true);
      expect(new Set(pings.map(({ id }) => id)).size).toBe(3);
      await eventually(() => expect(reasonsOf(server, session)).toEqual(["failures"]));
      expect(eventsOf(server, session)).toContainEqual(
        expect.objectContaining({ type: "connection.max_failures", failures: 3 }),
      );
      await session.tool("emit", { count: 1, on: "standalone" });
      const resumed = await session.get(stream.lastEventId);
      expect(numbersOf([await resumed.message((message) => !isPing(message))])).toEqual([1]);
      resumed.leave();
    });

    test("answered pings keep it open; the answers reach nobody else", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      // Twice what would close it.
      for (let n = 0; n < 6; n++) {
        const ping = await stream.message(isPing);
        const pong = await session.post({ jsonrpc: "2.0", id: ping.id, result: {} });
        expect(pong.status).toBe(202);
      }
      expect(reasonsOf(server, session)).toEqual([]);
      expect(server.events().filter(({ type }) => type === "orphan.response")).toEqual([]);
      stream.leave();
    });

    test("one answer forgives the failures before it (L-06)", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      for (let round = 0; round < 3; round++) {
        await stream.message(isPing);
        // The second goes out while the first is unanswered: one failure each round.
        const second = await stream.message(isPing);
        await session.post({ jsonrpc: "2.0", id: second.id, result: {} });
      }
      expect(reasonsOf(server, session)).toEqual([]);
      stream.leave();
    });

    test("an answer to an earlier ping, or from another session, does not count", async () => {
      const [session, other] = [await openSession(server.url), await openSession(server.url)];
      const stream = await session.get();
      const { id } = await stream.message(isPing);
      await other.post({ jsonrpc: "2.0", id, result: {} });
      await stream.message(isPing);
      await session.post({ jsonrpc: "2.0", id, result: {} });
      expect(await stream.untilBroken()).toHaveLength(1);
    });

    test("pings pass through a call's stream, between its messages", async () => {
      const session = await openSession(server.url);
      const call = await session.stream(
        toolCall("sleep", { ms: 2000, steps: 2 }, { id: "c", progressToken: "p" }),
      );
      const messages = await call.rest();
      expect(messages.some(isPing)).toBe(true);
      expect(
        messages.filter((message) => !isPing(message)).map(({ id, params }) => id ?? params?.["progress"]),
      ).toEqual([1, 2, "c"]);
    });
  });

  describe.concurrent("ids that look like a keepalive's", () => {
    // By which the server sees that a client has left.
    const server = serve(subject, { HOLDFAST_KEEPALIVE_INTERVAL_MS: QUICK });

    test("carry no frames: nothing reaches a stream, ends one, or moves its place", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await session.tool("emit", { count: 1, on: "standalone" });
      await stream.messages(1);
      const place = stream.lastEventId?.split(".")[0];
      const forged = `id: ${place}.9\nevent: message\ndata: {"forged":1}\n\n:!at ${place}.zzzzzzzzzz\n\n:!end EVIL\n\n`;
      for (const id of [
        `keepalive.x\n\n${forged}`,
        `keepalive.x\r\r${forged.replaceAll("\n", "\r")}`,
        `keepalive.${crypto.randomUUID()}.1\n\n${forged}`,
        `keepalive.${crypto.randomUUID()}.1`,
        "keepalive.",
      ]) {
        expect((await session.post({ jsonrpc: "2.0", id, result: {} })).status).toBe(202);
      }
      await session.tool("emit", { count: 2, on: "standalone" });
      expect(numbersOf(await stream.messages(2))).toEqual([1, 2]);
      expect(stream.text).not.toContain("forged");
      expect(stream.text).not.toContain(":!");
      stream.leave();
      // Neither did it become what the next connection goes on from.
      await eventually(() => expect(reasonsOf(server, session)).toEqual(["client"]));
      await session.tool("emit", { count: 3, on: "standalone" });
      const again = await session.get(stream.lastEventId);
      expect(numbersOf(await again.messages(3))).toEqual([1, 2, 3]);
      again.leave();
    });

    test("are the server's own business where no connection of ours has them", async () => {
      const session = await openSession(server.url);
      await session.post({ jsonrpc: "2.0", id: "keepalive.mine", result: {} });
      await eventually(() =>
        expect(server.events()).toContainEqual(
          expect.objectContaining({ type: "orphan.response", session: session.id.slice(0, 8) }),
        ),
      );
    });
  });

  describe.concurrent("the spin guard (C-15 b)", () => {
    const server = serve(subject, {
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "50",
      HOLDFAST_RAPID_MAX: "3",
      HOLDFAST_RAPID_WINDOW_MS: "60000",
    });

    test("keepalives that follow one another too fast end the connection, and say so", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await stream.untilBroken();
      expect(stream.seen.filter(({ type }) => type === "comment")).toHaveLength(4);
      await eventually(() => expect(reasonsOf(server, session)).toEqual(["failures"]));
      const connectionId = eventsOf(server, session)[0]?.["connectionId"];
      expect(eventsOf(server, session)).toContainEqual({
        type: "connection.spin_detected",
        level: "error",
        time: expect.any(Number),
        connectionId,
        count: 4,
        elapsedMs: expect.any(Number),
      });
      expect((await session.get(stream.lastEventId)).response.status).toBe(200);
    });

    test("messages do not count, however many there are (C-15 a)", async () => {
      const session = await openSession(server.url);
      const messages = await (await session.stream(toolCall("emit", { count: 200 }))).rest();
      expect(numbersOf(messages)).toEqual(upTo(200));
    });
  });

  describe.concurrent("the spin guard, switched off (C-15 c)", () => {
    const server = serve(subject, {
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "20",
      HOLDFAST_RAPID_MAX: "0",
      HOLDFAST_RAPID_WINDOW_MS: "60000",
    });

    test("as many keepalives as you like", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      expect(await take(stream, 60)).toHaveLength(60);
      expect(reasonsOf(server, session)).toEqual([]);
      stream.leave();
    });
  });
}
