/** The standalone stream: what belongs to no call, whether or not a GET is open. @module */
import { describe, expect, test } from "vitest";
import { reasonsOf } from "../support/endings.ts";
import { type McpSession, openSession } from "../support/mcp.ts";
import { numbersOf, request, textOf, toolCall, upTo, VERSIONS } from "../support/messages.ts";
import { type EventStream, isPriming, openingOf } from "../support/sse.ts";
import { serve, type Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

/** Has the server send 1 … count on the standalone stream, and waits until it has sent them all. */
async function emitStandalone(session: McpSession, count: number): Promise<void> {
  await session.tool("emit", { count, on: "standalone" });
}

const numbersFrom = async (stream: EventStream, count: number): Promise<number[]> =>
  numbersOf(await stream.messages(count));

export function testStandalone(subject: Subject): void {
  describe.concurrent("the standalone stream (B14–B16)", () => {
    const server = serve(subject);

    test.each(VERSIONS)("GET opens a stream in %s, and says something at once", async (version) => {
      const session = await openSession(server.url, { version });
      const stream = await session.get();
      expect(stream.response.status).toBe(200);
      await stream.next();
      expect(stream.text).toMatch(openingOf(version));
      await emitStandalone(session, 1);
      expect(await numbersFrom(stream, 1)).toEqual([1]);
      expect(stream.seen.filter(isPriming)).toHaveLength(version >= "2025-11-25" ? 1 : 0);
      stream.leave();
    });

    test("a resumed GET is primed again, with the place that it resumes from (B20)", async () => {
      const session = await openSession(server.url);
      const first = await session.get();
      await emitStandalone(session, 2);
      await first.messages(2);
      first.leave();
      const resumed = await session.get(first.lastEventId);
      expect(await resumed.next()).toEqual({ type: "retry", ms: 3000 });
      expect(await resumed.next()).toMatchObject({ type: "event", id: first.lastEventId, data: "" });
      resumed.leave();
    });

    test.each(VERSIONS)(
      "what is sent in %s while no GET is open waits, in order (G-10, G-12)",
      async (version) => {
        const session = await openSession(server.url, { version });
        await emitStandalone(session, 100);
        const stream = await session.get();
        expect(await numbersFrom(stream, 100)).toEqual(upTo(100));
        stream.leave();
      },
    );

    test("what waited and what is sent meanwhile come in one order", async () => {
      const session = await openSession(server.url);
      await session.tool("emit", { count: 200, intervalMs: 1, on: "standalone" });
      const stream = await session.get();
      expect(await numbersFrom(stream, 200)).toEqual(upTo(200));
      stream.leave();
    });

    test("calls and their answers stay off the standalone stream (B13, B15)", async () => {
      const session = await openSession(server.url);
      const standalone = await session.get();
      const call = await session.stream(toolCall("sleep", { ms: 200, steps: 4 }, { progressToken: "p" }));
      const onCall = await call.rest();
      expect(onCall).toHaveLength(5);
      await session.tool("echo", { text: "quick" });
      await emitStandalone(session, 2);
      expect(await numbersFrom(standalone, 2)).toEqual([1, 2]);
      standalone.leave();
    });

    test("each message is on one stream: GET, and two calls that stream (B13)", async () => {
      const session = await openSession(server.url);
      const standalone = await session.get();
      const calls = await Promise.all(
        ["a", "b"].map((token) =>
          session.stream(toolCall("sleep", { ms: 300, steps: 3 }, { progressToken: token })),
        ),
      );
      await emitStandalone(session, 5);
      for (const [index, call] of calls.entries()) {
        const messages = await call.rest();
        const progress = messages.slice(0, -1);
        expect(progress.map(({ params }) => params?.["progressToken"])).toEqual(Array(3).fill("ab"[index]));
        expect(textOf(messages.at(-1) ?? {})).toBe("slept");
      }
      expect(await numbersFrom(standalone, 5)).toEqual(upTo(5));
      // Nothing else is on it: what is sent next comes next.
      await emitStandalone(session, 1);
      expect(await numbersFrom(standalone, 1)).toEqual([1]);
      standalone.leave();
    });

    test("a second GET takes over without losing a message, and the first ends (B16, C-34)", async () => {
      const session = await openSession(server.url);
      const first = await session.get();
      await session.tool("emit", { count: 300, intervalMs: 2, on: "standalone" });
      const early = await numbersFrom(first, 50);
      const second = await session.get();
      expect(second.response.status).toBe(200);
      const before = [...early, ...numbersOf(await first.rest())];
      const after = await numbersFrom(second, 300 - before.length);
      expect([...before, ...after]).toEqual(upTo(300));
      await eventually(() => expect(reasonsOf(server, session)).toEqual(["replaced"]));
      second.leave();
    });

    test("of ten GETs one after the other, the last is fed, and none lost a message", async () => {
      const session = await openSession(server.url);
      await session.tool("emit", { count: 200, intervalMs: 2, on: "standalone" });
      const streams: EventStream[] = [];
      for (let n = 0; n < 10; n++) streams.push(await session.get());
      const last = streams.pop();
      const seen: number[] = [];
      for (const stream of streams) seen.push(...numbersOf(await stream.rest()));
      seen.push(...(await numbersFrom(last as EventStream, 200 - seen.length)));
      expect(seen).toEqual(upTo(200));
      last?.leave();
    });

    test("a server that ends its connection has sent `retry:` on it, in no frame of its own, and the client goes on (B21, SEP-1699)", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      expect(await session.tool("drop")).toBe("dropped");
      expect(await stream.rest()).toEqual([]);
      expect(stream.text).toMatch(/^id: \S+\nretry: 3000\ndata: \n\n$/);
      await emitStandalone(session, 2);
      const resumed = await session.get(stream.lastEventId);
      expect(await numbersFrom(resumed, 2)).toEqual([1, 2]);
      resumed.leave();
    });

    test("a frame is `id`, `event`, `data`, in that order, and one empty line (C-02)", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await emitStandalone(session, 1);
      await stream.messages(1);
      const place = stream.lastEventId?.split(".")[0] ?? "";
      expect(stream.text).toMatch(
        new RegExp(
          `^id: ${place}\\.0\\nretry: 3000\\ndata: \\n\\nid: ${place}\\.1\\nevent: message\\ndata: \\{.*\\}\\n\\n$`,
        ),
      );
      stream.leave();
    });

    test("a client that reads JSON alone finds its calls' notifications there", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      const call = toolCall("sleep", { ms: 10, steps: 3 }, { progressToken: "json" });
      await (await session.post(call, { Accept: "application/json" })).json();
      const told = await stream.messages(3);
      expect(told.map(({ params }) => params?.["progress"])).toEqual([1, 2, 3]);
      stream.leave();
    });
  });

  // On a server of its own: what changed is told to every session.
  describe("changes on the standalone stream", () => {
    const server = serve(subject);

    test("a resource that is watched, and a list that changed, are told there", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      const uri = "test://watched-resource";
      await session.request(request("resources/subscribe", { uri }));
      await session.tool("touch", { uri });
      const told = await stream.message();
      expect([told.method, told.params?.["uri"]]).toEqual(["notifications/resources/updated", uri]);
      // Lists are told from some moment after the GET on, so the change is made until it is heard.
      let isTold = false;
      const listening = stream.message(({ method }) => method === "notifications/tools/list_changed");
      const heard = listening.then(() => (isTold = true));
      await eventually(async () => {
        await session.tool("test_trigger_tool_change");
        expect(isTold).toBe(true);
      });
      await heard;
      stream.leave();
    });
  });

  describe("the standalone stream of a client that left", () => {
    // Where a runtime sees a client's end only by writing to it, the keepalive is what writes.
    const server = serve(subject, { HOLDFAST_KEEPALIVE_INTERVAL_MS: "200" });

    test("a client that comes back without an event id goes on where it was", async () => {
      const session = await openSession(server.url);
      const first = await session.get();
      await emitStandalone(session, 3);
      expect(await numbersFrom(first, 3)).toEqual([1, 2, 3]);
      first.leave();
      await eventually(() => expect(reasonsOf(server, session)).toEqual(["client"]));
      await emitStandalone(session, 2);
      const second = await session.get();
      expect(await numbersFrom(second, 2)).toEqual([1, 2]);
      second.leave();
    });
  });
}
