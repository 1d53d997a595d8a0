/** Much at once, much while nobody listens, and what is larger than a row of storage. @module */
import { describe, expect, test } from "vitest";
import { resumable } from "../support/interrupted.ts";
import { type McpSession, openSession, post } from "../support/mcp.ts";
import { initialize, type Message, numbersOf, request, textOf, toolCall, upTo } from "../support/messages.ts";
import { type EventStream, messageOf } from "../support/sse.ts";
import { serve, type Served, type Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

/** Characters of every width in UTF-8, so that a cut anywhere falls inside one of them sooner or later. */
const MIXED = "aé€😀";

/** Sends numbered messages on the standalone stream, and waits until the last of them is stored. */
async function sendAll(session: McpSession, count: number): Promise<void> {
  await session.tool("burst", {
    tag: "all",
    sizes: Array.from({ length: count }, () => 1),
    on: "standalone",
  });
  await session.tool("settle");
}

/** What the stream said of gaps. */
function gapsIn({ seen }: EventStream): string[] {
  return seen.flatMap((item) => (item.type === "comment" && item.text.startsWith("gap") ? [item.text] : []));
}

/** Leaves, and waits until the server knows: a client that may still read loses nothing by the number of messages. */
async function leave(server: Served, session: McpSession, stream: EventStream): Promise<void> {
  stream.leave();
  await eventually(() =>
    expect(server.events()).toContainEqual(
      expect.objectContaining({ type: "test.disconnect", sessionId: session.id }),
    ),
  );
}

export function testBounds(subject: Subject): void {
  describe("bounds", () => {
    const server = serve(subject);

    test("1,500 notifications while the client is away: all delivered, in order", async () => {
      const session = await openSession(server.url);
      await session.tool("emit", { count: 1500, on: "standalone" });
      const stream = await session.get();
      expect(numbersOf(await stream.messages(1500))).toEqual(upTo(1500));
      expect(stream.seen.filter(({ type }) => type === "comment")).toEqual([]);
      stream.leave();
    });

    test("1,500 notifications of a call whose client is away: all delivered by resuming", async () => {
      const session = await openSession(server.url);
      const call = await session.stream(toolCall("emit", { count: 1500 }, { id: "much" }));
      while (call.lastEventId === undefined) await call.next();
      const had = numbersOf(call.seen.flatMap((item) => messageOf(item) ?? []));
      const place = call.lastEventId;
      call.leave();
      const messages = await (await session.get(place)).rest();
      expect([...had, ...numbersOf(messages)]).toEqual(upTo(1500));
      expect(messages.at(-1)?.id).toBe("much");
    });

    test("a burst of 500 is delivered on an open stream, which stays open (C-15 a)", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await session.tool("emit", { count: 500, on: "standalone" });
      expect(numbersOf(await stream.messages(500))).toEqual(upTo(500));
      await session.tool("emit", { count: 1, on: "standalone" });
      expect(numbersOf(await stream.messages(1))).toEqual([1]);
      stream.leave();
    });

    test.each(["request", "standalone"] as const)(
      "5,000 messages that nobody waits for, sent in one turn, reach a client that reads along (%s)",
      async (on) => {
        const session = await openSession(server.url);
        const standalone = on === "standalone" ? await session.get() : undefined;
        const call = toolCall("flood", { count: 5000, size: 100, on });
        const stream = standalone ?? (await session.stream(call));
        if (standalone !== undefined) await session.request(call);
        expect(numbersOf(await stream.messages(5000))).toEqual(upTo(5000));
        expect(stream.seen.filter(({ type }) => type === "comment")).toEqual([]);
        stream.leave();
      },
    );

    test("a burst of 500 before an answer is delivered on the call's stream", async () => {
      const session = await openSession(server.url);
      const messages = await (await session.stream(toolCall("emit", { count: 500 }))).rest();
      expect(numbersOf(messages)).toEqual(upTo(500));
      expect(textOf(messages.at(-1) ?? {})).toBe("emitted 500");
    });

    test("messages over 2 MB pass both ways and are replayed, character by character", async () => {
      const session = await openSession(server.url, { capabilities: { elicitation: {} } });
      // One character more or less puts the cuts between rows at other places in the pattern.
      for (const shift of ["", "x", "xx"]) {
        const message = shift + MIXED.repeat(350_000);
        const call = await session.stream(toolCall("ask", { message }, { id: "large" }));
        while (call.lastEventId === undefined) await call.next();
        const place = call.lastEventId;
        const asked = await call.message(({ method }) => method === "elicitation/create");
        expect(asked.params?.["message"] === message).toBe(true);
        const answer = MIXED.repeat(250_000) + shift;
        const content = { action: "accept", content: { answer } };
        expect((await session.post({ jsonrpc: "2.0", id: asked.id, result: content })).status).toBe(202);
        const isAnswered = (text: string | undefined): boolean =>
          (JSON.parse(text ?? "{}") as { answer?: string }).answer === answer;
        expect(isAnswered(textOf(await call.message(({ id }) => id === "large")))).toBe(true);

        const replayed = await (await session.get(place)).rest();
        expect(replayed[0]?.params?.["message"] === message).toBe(true);
        expect(isAnswered(textOf(replayed[1] ?? {}))).toBe(true);
      }
    });

    test("text that some parsers stumble over leaves escaped and well formed, as JSON and on a stream", async () => {
      const session = await openSession(server.url);
      const odd = `a\u2028b\u2029c\u0085d\ud83de${"\\"}ud83df😀`;
      const echoed = await session.post(toolCall("echo", { text: odd }));
      const streamed = await session.stream(toolCall("burst", { tag: odd, sizes: [1], on: "request" }));
      await streamed.rest();
      for (const text of [await echoed.text(), streamed.text]) {
        expect(text).not.toMatch(/[\u0085\u2028\u2029]|[^\\]\\ud83d/);
        expect(text).toContain(String.raw`a\u2028b\u2029c\u0085d\ufffde\\ud83df😀`);
      }
    });

    test("a large quick answer comes whole as JSON", async () => {
      const session = await openSession(server.url);
      const text = MIXED.repeat(300_000);
      expect((await session.tool("echo", { text })) === text).toBe(true);
    });
  });

  describe("more than is kept", () => {
    const server = serve(subject, { HOLDFAST_MAX_EVENTS: "20", HOLDFAST_KEEPALIVE_INTERVAL_MS: "100" });

    test("while the client is away: the newest are kept, and the gap is said", async () => {
      const session = await openSession(server.url);
      await sendAll(session, 100);
      const stream = await session.get();
      const newest = await stream.message();
      const [first = 0] = numbersOf([newest]);
      const rest = numbersOf(await stream.messages(100 - first));
      expect([first, ...rest]).toEqual(upTo(100).slice(first - 1));
      // As many as the bound promises, and at most a tenth more.
      expect(101 - first).toBeGreaterThanOrEqual(20);
      expect(101 - first).toBeLessThanOrEqual(22);
      const said = gapsIn(stream);
      expect(said).toEqual([expect.stringMatching(`gap: ${first - 1} `)]);
      await eventually(() => {
        const told = server.events().filter(({ session: id }) => id === session.id.slice(0, 8));
        expect(told).toContainEqual(expect.objectContaining({ type: "replay.gap", missed: first - 1 }));
        expect(told).toContainEqual(expect.objectContaining({ type: "queue.overflow" }));
      });
      stream.leave();
    });

    test("a resume from before what is kept: the gap is counted from the client's own place", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await session.tool("emit", { count: 10, on: "standalone" });
      await stream.messages(10);
      await leave(server, session, stream);
      await sendAll(session, 100);
      const resumed = await session.get(stream.lastEventId);
      const [first = 0] = numbersOf([await resumed.message()]);
      const said = gapsIn(resumed);
      expect(said).toEqual([expect.stringMatching(`gap: ${first - 1} `)]);
      resumed.leave();
    });

    test("a client that reads along misses nothing, however much comes", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await session.tool("emit", { count: 300, on: "standalone" });
      expect(numbersOf(await stream.messages(300))).toEqual(upTo(300));
      expect(gapsIn(stream)).toEqual([]);
      stream.leave();
    });
  });

  describe("a gap, where a gap is an error", () => {
    const server = serve(subject, {
      HOLDFAST_MAX_EVENTS: "20",
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "100",
      HOLDFAST_ON_GAP: "404",
    });

    test("a resume from before what is kept: 404, and the session goes on (C-36)", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await session.tool("emit", { count: 1, on: "standalone" });
      await stream.messages(1);
      await leave(server, session, stream);
      await sendAll(session, 100);
      const answer = await session.fetch("GET", { "Last-Event-ID": stream.lastEventId });
      expect(answer.status).toBe(404);
      expect((await session.post(request("ping"))).status).toBe(200);
    });
  });

  describe("an event that is too large", () => {
    const server = serve(subject, { HOLDFAST_MAX_EVENT_BYTES: "10000" });

    test("a result over the bound is answered with an error that says so; the session goes on (G-26)", async () => {
      const session = await openSession(server.url);
      const answer = await session.request(toolCall("echo", { text: "x".repeat(20_000) }));
      expect(answer.error).toMatchObject({ code: -32603, data: { reason: "too-large" } });
      expect(await session.tool("echo", { text: "small" })).toBe("small");
    });

    test("a notification over the bound is refused to its sender, and nothing of it is sent", async () => {
      const session = await openSession(server.url);
      const stream = await session.stream(
        toolCall("burst", { tag: "large", sizes: [1, 20_000, 1], on: "request" }),
      );
      const [first, answer, ...more] = await stream.rest();
      expect(first?.method).toBe("notifications/message");
      expect(answer?.result).toMatchObject({ isError: true });
      expect(textOf(answer ?? {})).toContain("maxEventBytes");
      expect(more).toEqual([]);
      expect(await session.tool("echo", { text: "small" })).toBe("small");
    });
  });

  describe("more than a session keeps", () => {
    const server = serve(subject, {
      HOLDFAST_MAX_SESSION_BYTES: "300000",
      HOLDFAST_MAX_SUBSCRIPTION_BYTES: "2000",
      HOLDFAST_QUICK_ANSWER_MS: "0",
    });

    test("answered calls go first, the oldest first, and a client that asks for one is told", async () => {
      const session = await openSession(server.url);
      // What waits for a client of its own is older than all, and stays.
      await session.tool("emit", { count: 3, on: "standalone" });
      const places: string[] = [];
      for (let n = 0; n < 6; n++) {
        const call = await session.stream(toolCall("bulk", { size: 100_000, ms: 1 }, { id: `bulk-${n}` }));
        places.push(await resumable(call));
        await call.rest();
      }
      const [oldest = "", , , , , newest = ""] = places;
      const lost = await session.get(oldest);
      expect(await lost.rest()).toEqual([]);
      expect(lost.seen).toContainEqual({ type: "comment", text: expect.stringMatching(/^gap: 1 events/) });
      const kept = await session.get(newest);
      expect((await kept.rest()).map(({ id }) => id)).toEqual(["bulk-5"]);
      const standalone = await session.get();
      expect(numbersOf(await standalone.messages(3))).toEqual(upTo(3));
      standalone.leave();
      await eventually(() =>
        expect(server.events()).toContainEqual(
          expect.objectContaining({ type: "replay.gap", session: session.id.slice(0, 8), missed: 1 }),
        ),
      );
    });

    test("a subscription too many by its bytes is refused, and one that was there goes on", async () => {
      const session = await openSession(server.url);
      const subscribe = (uri: string): Promise<Message> =>
        session.request(request("resources/subscribe", { uri }));
      const first = `test://${"a".repeat(900)}`;
      expect((await subscribe(first)).result).toEqual({});
      for (const uri of [`test://${"b".repeat(7000)}`, `test://${"c".repeat(1500)}`]) {
        expect((await subscribe(uri)).error).toMatchObject({
          code: -32600,
          message: "This session holds at most 2000 bytes of subscriptions",
        });
      }
      expect((await subscribe(first)).result).toEqual({});
      await session.request(request("resources/unsubscribe", { uri: first }));
      expect((await subscribe(`test://${"c".repeat(1500)}`)).result).toEqual({});
    });

    test("an initialize that cannot be kept opens no session", async () => {
      const icons = [{ src: `data:image/png;base64,${"A".repeat(2_500_000)}` }];
      const message = initialize();
      message.params = { ...message.params, clientInfo: { name: "large", version: "0", icons } };
      const answer = await post(`${server.url}/mcp`, message);
      expect(answer.headers.get("mcp-session-id")).toBeNull();
      expect(((await answer.json()) as Message).error).toBeDefined();
    });
  });
}
