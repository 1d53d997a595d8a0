/** What comes back from a POST: JSON or a stream, one message or a batch. @module */
import { describe, expect, test } from "vitest";
import { openSession } from "../support/mcp.ts";
import {
  initialize,
  type Message,
  notification,
  request,
  textOf,
  toolCall,
  upTo,
  VERSIONS,
} from "../support/messages.ts";
import { isPriming, openingOf, readEvents } from "../support/sse.ts";
import { type Served, serve, type Subject } from "../support/subject.ts";

const JSON_ONLY = { Accept: "application/json" };
const SSE_ONLY = { Accept: "text/event-stream" };

export function testPosts(subject: Subject): void {
  describe.concurrent("POST", () => {
    const server = serve(subject);
    describe.each(VERSIONS)("in %s", (version) => testOneVersion(server, version));
    describe("batches in 2025-03-26 (B12)", () => testBatches(server));
  });
}

function testOneVersion(server: Served, version: string): void {
  test("a call that is answered at once gets one JSON object (B7)", async () => {
    const session = await openSession(server.url, { version });
    const call = toolCall("echo", { text: "quick" }, { id: "a" });
    const answer = await session.post(call);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toMatchObject({
      jsonrpc: "2.0",
      id: "a",
      result: { content: [{ text: "quick" }] },
    });
  });

  test("a slow call gets a stream that ends with its answer (B7, B8)", async () => {
    const session = await openSession(server.url, { version });
    const stream = await session.stream(toolCall("sleep", { ms: 400 }, { id: 0 }));
    const [answer, ...more] = await stream.rest();
    expect(more).toEqual([]);
    expect([answer?.id, textOf(answer ?? {})]).toEqual([0, "slept"]);
    const { headers } = stream.response;
    expect(headers.get("cache-control")).toBe("no-cache, no-store, no-transform");
    expect(headers.get("x-accel-buffering")).toBe("no");
    expect(headers.get("content-encoding")).toBeNull();
  });

  test("progress comes before the answer, in order, on the call's own stream (B9)", async () => {
    const session = await openSession(server.url, { version });
    const stream = await session.stream(
      toolCall("sleep", { ms: 200, steps: 5 }, { id: 7, progressToken: "t" }),
    );
    const messages = await stream.rest();
    expect(messages.map(({ params, id }) => params?.["progress"] ?? id)).toEqual([...upTo(5), 7]);
    expect(messages.slice(0, 5).every(({ params }) => params?.["progressToken"] === "t")).toBe(true);
  });

  test("a notification before a quick answer makes it a stream too", async () => {
    const session = await openSession(server.url, { version });
    const stream = await session.stream(toolCall("emit", { count: 3 }));
    const messages = await stream.rest();
    expect(messages.map(({ method }) => method)).toEqual([
      ...Array.from({ length: 3 }, () => "notifications/message"),
      undefined,
    ]);
  });

  test(`a stream ${version >= "2025-11-25" ? "is primed" : "opens with a comment, and nothing that could be taken for a message"} (B20)`, async () => {
    const session = await openSession(server.url, { version });
    const stream = await session.stream(toolCall("sleep", { ms: 300 }));
    await stream.next();
    expect(stream.text).toMatch(openingOf(version));
    await stream.rest();
    expect(stream.text.match(/^retry: 3000$/gm) ?? []).toHaveLength(version >= "2025-11-25" ? 1 : 0);
    const events = stream.seen.filter(({ type }) => type === "event");
    expect(events.filter(isPriming)).toHaveLength(version >= "2025-11-25" ? 1 : 0);
    expect(events.every((item) => item.type === "event" && item.id !== undefined)).toBe(true);
  });

  test("the stream of a call that has nothing to say yet says something at once", async () => {
    const session = await openSession(server.url, { version });
    const stream = await session.stream(toolCall("sleep", { ms: 60_000 }, { id: "silent" }));
    await stream.next();
    expect(stream.text).toMatch(openingOf(version));
    await session.post(notification("notifications/cancelled", { requestId: "silent" }));
    expect(await stream.rest()).toEqual([]);
  });

  test("event ids are unique in the session, and name their stream (B17)", async () => {
    const session = await openSession(server.url, { version });
    const call = (): Promise<Message[]> =>
      session.stream(toolCall("emit", { count: 4 })).then(async (stream) => {
        const messages = await stream.rest();
        const ids = stream.seen.flatMap((item) => (item.type === "event" ? [item.id ?? ""] : []));
        idsByStream.push(ids);
        return messages;
      });
    const idsByStream: string[][] = [];
    await Promise.all([call(), call(), call()]);
    const all = idsByStream.flat();
    expect(new Set(all).size).toBe(all.length);
    const names = idsByStream.map((ids) => new Set(ids.map((id) => id.split(".")[0])));
    expect(names.map(({ size }) => size)).toEqual([1, 1, 1]);
    expect(new Set(names.flatMap((name) => [...name])).size).toBe(3);
  });

  test("a client that reads JSON alone gets JSON, however long the call takes (B4)", async () => {
    const session = await openSession(server.url, { version });
    const answer = await session.post(
      toolCall("sleep", { ms: 300, steps: 3 }, { id: 5, progressToken: 1 }),
      JSON_ONLY,
    );
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toMatchObject({ id: 5, result: { content: [{ text: "slept" }] } });
  });

  test("a client that reads streams alone gets a stream, however quick the call is (B4)", async () => {
    const session = await openSession(server.url, { version });
    const stream = readEvents(await session.post(toolCall("echo", { text: "quick" }, { id: 6 }), SSE_ONLY));
    expect((await stream.rest()).map(({ id }) => id)).toEqual([6]);
  });

  test.each(["*/*", "application/*, text/*", "text/event-stream;q=0.5, application/json;q=0.9"])(
    "Accept %s takes either (B4)",
    async (accept) => {
      const session = await openSession(server.url, { version });
      const quick = await session.post(request("ping"), { Accept: accept });
      expect(quick.headers.get("content-type")).toBe("application/json");
      const slow = await session.post(toolCall("sleep", { ms: 300 }), { Accept: accept });
      expect((await readEvents(slow).rest()).map(textOf)).toEqual(["slept"]);
    },
  );

  test.each(["application/json; charset=utf-8", "Application/JSON"])(
    "Content-Type %s is JSON (B5)",
    async (type) => {
      const session = await openSession(server.url, { version });
      expect((await session.post(request("ping"), { "Content-Type": type })).status).toBe(200);
    },
  );

  test("a text passes as it is, on JSON and on a stream: line breaks, unicode, what looks like a frame", async () => {
    const session = await openSession(server.url, { version, capabilities: { elicitation: {} } });
    const text = "line\nfeed\r\n\u2028 ü 😀 \u0000 data: x\n\nid: 1";
    expect(await session.tool("echo", { text })).toBe(text);
    const stream = await session.stream(toolCall("ask", { message: text }));
    const asked = await stream.message(({ method }) => method === "elicitation/create");
    expect(asked.params?.["message"]).toBe(text);
    stream.leave();
  });
}

function testBatches(server: Served): void {
  const version = "2025-03-26";

  test("requests are answered by an array, one response each", async () => {
    const session = await openSession(server.url, { version });
    const batch = [
      toolCall("echo", { text: "a" }, { id: 1 }),
      request("ping", undefined, "p"),
      request("nope", {}, 3),
    ];
    const answer = await session.post(batch);
    expect(answer.headers.get("content-type")).toBe("application/json");
    const responses = (await answer.json()) as Message[];
    expect(new Map(responses.map((message) => [message.id, message.error?.code ?? "ok"]))).toEqual(
      new Map<unknown, unknown>([
        [1, "ok"],
        ["p", "ok"],
        [3, -32601],
      ]),
    );
    expect(responses).toHaveLength(3);
  });

  test("one request in an array is answered by an array", async () => {
    const session = await openSession(server.url, { version });
    expect(await (await session.post([request("ping", undefined, 1)])).json()).toEqual([
      { jsonrpc: "2.0", id: 1, result: {} },
    ]);
  });

  test.each([1, 3])(
    "a client that reads event streams alone gets the answers to %i at once as an event each",
    async (count) => {
      const session = await openSession(server.url, { version });
      const batch = upTo(count).map((id) => request("ping", undefined, id));
      const answer = await session.post(batch, SSE_ONLY);
      expect(answer.headers.get("content-type")).toBe("text/event-stream");
      const answers = await readEvents(answer).rest();
      expect(new Map(answers.map(({ id, result }) => [id, result]))).toEqual(
        new Map(upTo(count).map((id) => [id, {}])),
      );
      expect(answers).toHaveLength(count);
    },
  );

  test("a batch that takes longer comes as a stream, quick answers among it, and ends with the last", async () => {
    const session = await openSession(server.url, { version });
    const stream = await session.stream([
      toolCall("sleep", { ms: 400, steps: 2 }, { id: "slow", progressToken: "t" }),
      toolCall("echo", { text: "quick" }, { id: "quick" }),
      notification("notifications/roots/list_changed"),
    ]);
    const messages = await stream.rest();
    expect(messages.map(({ id, method }) => id ?? method)).toEqual([
      "quick",
      "notifications/progress",
      "notifications/progress",
      "slow",
    ]);
  });

  test("only notifications and responses: 202", async () => {
    const session = await openSession(server.url, { version });
    const answer = await session.post([
      notification("notifications/roots/list_changed"),
      { jsonrpc: "2.0", id: "nobody", result: {} },
      { jsonrpc: "2.0", id: "nobody", error: { code: 1, message: "no" } },
    ]);
    expect([answer.status, await answer.text()]).toEqual([202, ""]);
  });

  test("JSON alone: an array, once all are answered", async () => {
    const session = await openSession(server.url, { version });
    const answer = await session.post(
      [toolCall("sleep", { ms: 300 }, { id: 1 }), request("ping", undefined, 2)],
      JSON_ONLY,
    );
    const responses = (await answer.json()) as Message[];
    expect(new Set(responses.map(({ id }) => id))).toEqual(new Set([1, 2]));
  });

  test("a batch in which one request is cancelled ends with the answers to the rest", async () => {
    const session = await openSession(server.url, { version });
    const stream = await session.stream([
      toolCall("sleep", { ms: 60_000 }, { id: "cancelled" }),
      toolCall("sleep", { ms: 300 }, { id: "kept" }),
    ]);
    await session.post(notification("notifications/cancelled", { requestId: "cancelled" }));
    expect((await stream.rest()).map(({ id }) => id)).toEqual(["kept"]);
  });

  test("initialize in a batch: 400, and nothing of the batch is done", async () => {
    const session = await openSession(server.url, { version });
    const answer = await session.post([toolCall("counter"), initialize()]);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: -32600 } });
    expect(await session.tool("counter", { by: 0 })).toBe("0");
  });

  test("more messages than a batch may hold: 400", async () => {
    const session = await openSession(server.url, { version });
    const pings = (count: number): Message[] => upTo(count).map((n) => request("ping", undefined, n));
    expect((await session.post(pings(100))).status).toBe(200);
    expect((await session.post(pings(101))).status).toBe(400);
  });

  test.each(["2025-06-18", "2025-11-25"])(
    "a session of %s takes no batch, not even of one",
    async (later) => {
      const session = await openSession(server.url, { version: later });
      for (const body of [[request("ping")], [notification("notifications/initialized")]]) {
        const answer = await session.post(body);
        expect(answer.status).toBe(400);
        expect(await answer.json()).toMatchObject({ error: { code: -32600 }, id: null });
      }
    },
  );
}
