/** Resuming: what a client gets that was cut off, and what it does not. @module */
import { describe, expect, test } from "vitest";
import { reasonsOf } from "../support/endings.ts";
import { type McpSession, openSession } from "../support/mcp.ts";
import { numbersOf, textOf, toolCall, upTo, VERSIONS } from "../support/messages.ts";
import { type EventStream, isPriming, messageOf } from "../support/sse.ts";
import { serve, type Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

/** Reads until the client knows an event id. */
async function untilPlaced(stream: EventStream): Promise<string> {
  while (stream.lastEventId === undefined) {
    if ((await stream.next()) === undefined) throw new Error("the stream ended without an event id");
  }
  return stream.lastEventId;
}

/** A call that streams; before 2025-11-25 its first progress is the first event id that the client gets. */
const longCall = (ms: number, steps = 3): ReturnType<typeof toolCall> =>
  toolCall("sleep", { ms, steps }, { id: "long", progressToken: "p" });

/** Progress and answer of {@link longCall}, as `1, 2, 3, "slept"`. */
const outline = (messages: Awaited<ReturnType<EventStream["rest"]>>): unknown[] =>
  messages.map((message) => message.params?.["progress"] ?? textOf(message));

export function testResume(subject: Subject): void {
  describe.concurrent("resuming", () => {
    const server = serve(subject, { HOLDFAST_KEEPALIVE_INTERVAL_MS: "300", HOLDFAST_QUICK_ANSWER_MS: "50" });

    describe.each(VERSIONS)("resuming a POST's stream in %s (B11, B18, B22, B23)", (version) => {
      const open = (): Promise<McpSession> =>
        openSession(server.url, { version, capabilities: { elicitation: {} } });

      test("cut while the result is being made: the rest comes by GET, then the stream closes", async () => {
        const session = await open();
        const call = await session.stream(longCall(600));
        const place = await untilPlaced(call);
        const had = outline(call.seen.flatMap((item) => messageOf(item) ?? []));
        call.leave();
        const resumed = await session.get(place);
        expect([...had, ...outline(await resumed.rest())]).toEqual([1, 2, 3, "slept"]);
      });

      test("cut after the result was made, before the client read it: it is replayed", async () => {
        const session = await open();
        const call = await session.stream(longCall(300));
        const place = await untilPlaced(call);
        const had = outline(call.seen.flatMap((item) => messageOf(item) ?? []));
        // The server has handed everything to the connection; the client has read one event of it.
        await eventually(() => expect(reasonsOf(server, session)).toEqual(["done"]));
        call.leave();
        expect([...had, ...outline(await (await session.get(place)).rest())]).toEqual([1, 2, 3, "slept"]);
      });

      test("cut and resumed, again and again: every message once, in order", async () => {
        const session = await open();
        let stream = await session.stream(toolCall("emit", { count: 60, intervalMs: 5 }, { id: "many" }));
        const numbers: number[] = [];
        for (;;) {
          const part = [];
          for (let item = await stream.next(); item !== undefined; item = await stream.next()) {
            const message = messageOf(item);
            if (message !== undefined) part.push(message);
            if (part.length === 7) break;
          }
          numbers.push(...numbersOf(part));
          if (part.some(({ id }) => id === "many")) break;
          stream.leave();
          stream = await session.get(stream.lastEventId);
        }
        expect(numbers).toEqual(upTo(60));
      });

      test("resumed while it is still connected, the stream goes over to the new connection", async () => {
        const session = await open();
        const call = await session.stream(toolCall("ask", { message: "which?" }));
        const asked = await call.message(({ method }) => method === "elicitation/create");
        const resumed = await session.get(call.lastEventId);
        expect(await call.rest()).toEqual([]);
        await session.post({ jsonrpc: "2.0", id: asked.id, result: { action: "decline" } });
        expect((await resumed.rest()).map(textOf)).toEqual(['{"action":"decline","answer":null}']);
        await eventually(() => expect(reasonsOf(server, session)).toEqual(["replaced", "done"]));
      });

      test("resumed twice from one id, a stream replays the same set", async () => {
        const session = await open();
        const call = await session.stream(longCall(200));
        const place = await untilPlaced(call);
        await call.rest();
        const replay = async (): Promise<unknown> => {
          const stream = await session.get(place);
          await stream.rest();
          return stream.seen.filter(({ type }) => type === "event");
        };
        const first = await replay();
        expect(first).toEqual(await replay());
        expect(first).toEqual(expect.arrayContaining(call.seen.slice(-1)));
      });

      test("resumed after its last event, a stream that is over has nothing left: 204, so that clients stop asking", async () => {
        const session = await open();
        const call = await session.stream(longCall(200));
        await call.rest();
        const resumed = await session.fetch("GET", { "Last-Event-ID": call.lastEventId });
        expect([resumed.status, await resumed.text()]).toEqual([204, ""]);
      });

      test("a resume replays that stream alone (B18)", async () => {
        const session = await open();
        const call = await session.stream(longCall(400));
        const place = await untilPlaced(call);
        call.leave();
        await session.tool("emit", { count: 5, on: "standalone" });
        await (await session.stream(toolCall("emit", { count: 5 }))).rest();
        const resumed = await (await session.get(place)).rest();
        expect(resumed.every(({ method, id }) => method === "notifications/progress" || id === "long")).toBe(
          true,
        );
        expect(outline(resumed).at(-1)).toBe("slept");
      });

      test("a disconnect is not a cancellation (B11, P-22)", async () => {
        const session = await open();
        const cut = new AbortController();
        // Gone before there is an answer, or even a stream.
        const call = session.post(
          toolCall("emit", { count: 3, intervalMs: 50, on: "request" }),
          {},
          cut.signal,
        );
        cut.abort();
        await expect(call).rejects.toThrow();
        expect(await session.tool("echo", { text: "usable" })).toBe("usable");
        // Gone while the tool waits for the user; the keepalive has told the server so.
        const other = await session.stream(toolCall("ask", { message: "still there?" }, { id: "asked" }));
        const asked = await other.message(({ method }) => method === "elicitation/create");
        other.leave();
        await eventually(() => expect(reasonsOf(server, session)).toContain("client"));
        const result = { action: "accept", content: { answer: "again" } };
        await session.post({ jsonrpc: "2.0", id: asked.id, result });
        const [answered] = await (await session.get(other.lastEventId)).rest();
        expect([answered?.id, textOf(answered ?? {})]).toEqual(["asked", expect.stringMatching(/again/)]);
      });
    });

    describe("resuming from the priming event in 2025-11-25 (B20)", () => {
      test("cut before the first message: all of it comes by GET", async () => {
        const session = await openSession(server.url);
        const call = await session.stream(longCall(500));
        const place = await untilPlaced(call);
        expect(call.seen.filter((item) => messageOf(item) !== undefined)).toEqual([]);
        expect(isPriming(call.seen.at(-1))).toBe(true);
        call.leave();
        expect(outline(await (await session.get(place)).rest())).toEqual([1, 2, 3, "slept"]);
      });

      test("a tool that closes its stream: `retry:` was said, and the result waits (B10, B21, SEP-1699)", async () => {
        const session = await openSession(server.url);
        const call = await session.stream(toolCall("test_reconnection", {}, { id: "poll" }));
        expect(await call.rest()).toEqual([]);
        expect(call.text).toMatch(/^id: \S+\nretry: 3000\ndata: \n\n$/);
        // The server's word comes by its output, and not with the stream's end.
        await eventually(() => expect(reasonsOf(server, session)).toEqual(["closed"]));
        const resumed = await session.get(call.lastEventId);
        expect(isPriming((await resumed.next(), await resumed.next()))).toBe(true);
        expect((await resumed.rest()).map(textOf)).toEqual(["Reconnection test completed successfully."]);
      });

      test.each(["2025-03-26", "2025-06-18"])(
        "in %s a tool cannot close its stream: clients would not poll (B10)",
        async (version) => {
          const session = await openSession(server.url, { version });
          const call = await session.stream(toolCall("test_reconnection"));
          expect((await call.rest()).map(textOf)).toEqual(["Reconnection test completed successfully."]);
        },
      );
    });

    describe("resuming the standalone stream (B18, B22)", () => {
      test("what came after the id, once, in order, then what is new", async () => {
        const session = await openSession(server.url);
        const first = await session.get();
        await session.tool("emit", { count: 10, on: "standalone" });
        await first.messages(4);
        const place = first.lastEventId;
        first.leave();
        const second = await session.get(place);
        expect(numbersOf(await second.messages(6))).toEqual([5, 6, 7, 8, 9, 10]);
        await session.tool("emit", { count: 2, on: "standalone" });
        expect(numbersOf(await second.messages(2))).toEqual([1, 2]);
        second.leave();
      });

      test("from the same id, the same set, as often as it is asked for", async () => {
        const session = await openSession(server.url);
        const first = await session.get();
        await session.tool("emit", { count: 10, on: "standalone" });
        const place = await untilPlaced(first);
        for (let n = 0; n < 3; n++) {
          const again = await session.get(place);
          expect(numbersOf(await again.messages(10))).toEqual(upTo(10));
          again.leave();
        }
      });

      test("an event that its client had not read when it left is replayed (R-15)", async () => {
        const session = await openSession(server.url);
        const stream = await session.get();
        const place = await untilPlaced(stream);
        stream.leave();
        // Written to a connection that is dead by now: no event id came back, so it is not forgotten.
        await session.tool("emit", { count: 1, on: "standalone" });
        const resumed = await session.get(place);
        expect(numbersOf(await resumed.messages(1))).toEqual([1]);
        resumed.leave();
      });
    });

    describe("event ids that nobody holds (B19, C-36, C-37)", () => {
      test.each([
        "1",
        "x.y.z",
        "0.0",
        "zzzzzzzzzz.1",
        "..",
        "1.1 ",
        "-1.5",
        "a".repeat(300),
        "zzzzzzzzzzzz.zzzzzzzzzzzz",
      ])("Last-Event-ID %s: 400 that says to come without it", async (id) => {
        const session = await openSession(server.url);
        const answer = await session.fetch("GET", { "Last-Event-ID": id });
        expect(answer.status).toBe(400);
        expect(await answer.json()).toMatchObject({
          error: { code: -32000, message: expect.stringMatching(/Last-Event-ID.*reconnect without it/) },
        });
      });

      test("an id ahead of its stream: 400", async () => {
        const session = await openSession(server.url);
        const stream = await session.get();
        const place = await untilPlaced(stream);
        stream.leave();
        const ahead = `${place.split(".")[0]}.zz`;
        expect((await session.fetch("GET", { "Last-Event-ID": ahead })).status).toBe(400);
      });

      test("the id of another session's event replays nothing: 400 (B19)", async () => {
        const [mine, other] = [await openSession(server.url), await openSession(server.url)];
        const call = await other.stream(toolCall("emit", { count: 3 }));
        await call.rest();
        const standalone = await other.get();
        for (const id of [call.lastEventId, await untilPlaced(standalone)]) {
          expect((await mine.fetch("GET", { "Last-Event-ID": id })).status).toBe(400);
        }
        standalone.leave();
      });

      test("an id that was turned away costs the open stream nothing", async () => {
        const session = await openSession(server.url);
        const stream = await session.get();
        expect((await session.fetch("GET", { "Last-Event-ID": "no.such" })).status).toBe(400);
        await session.tool("emit", { count: 3, on: "standalone" });
        expect(numbersOf(await stream.messages(3))).toEqual([1, 2, 3]);
        stream.leave();
      });

      test("an empty Last-Event-ID is none", async () => {
        const session = await openSession(server.url);
        const answer = await session.fetch("GET", { "Last-Event-ID": "" });
        expect(answer.status).toBe(200);
        await answer.body?.cancel();
      });
    });
  });
}
