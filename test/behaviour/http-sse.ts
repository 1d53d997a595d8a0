/** HTTP+SSE (2024-11-05): one stream a session, everything comes back on it. @module */
import { describe, expect, test } from "vitest";
import { openSse, type SseSession } from "../support/http-sse.ts";
import { post } from "../support/mcp.ts";
import { initialize, notification, numbersOf, request, textOf, toolCall, upTo } from "../support/messages.ts";
import { rawRequest } from "../support/raw-http.ts";
import { serve, type Subject } from "../support/subject.ts";

async function initialized(url: string, capabilities?: Record<string, unknown>): Promise<SseSession> {
  const session = await openSse(url);
  await session.initialize(capabilities);
  return session;
}

export function testHttpSse(subject: Subject): void {
  describe("HTTP+SSE (A1–A12)", () => {
    const server = serve(subject, { HOLDFAST_MAX_BODY_BYTES: "5000000" });

    test("the first event is `endpoint`, relative, before anything else (A1, A2, C-01, G-23)", async () => {
      const session = await openSse(server.url);
      expect(session.stream.text).toMatch(
        /^event: endpoint\ndata: \/messages\?sessionId=[\w-]+\nretry: 3000\n\n/,
      );
      const { headers } = session.stream.response;
      expect(headers.get("cache-control")).toBe("no-cache, no-store, no-transform");
      expect(headers.get("mcp-session-id")).toBeNull();
      session.stream.leave();
    });

    test("a POST is accepted without a body; its answer comes as `message` on the stream (A3, A6, A7, G-17)", async () => {
      const session = await openSse(server.url);
      const accepted = await session.post(initialize("2024-11-05"));
      expect([accepted.status, await accepted.text()]).toEqual([202, ""]);
      const answer = await session.stream.message();
      expect(answer.result?.["protocolVersion"]).toBe("2024-11-05");
      expect(session.stream.seen.at(-1)).toMatchObject({ type: "event", event: "message" });
      await session.post(notification("notifications/initialized"));
      expect(await session.tool("echo", { text: "hello" })).toBe("hello");
      session.stream.leave();
    });

    test("both spellings of the parameter name the session (L-25)", async () => {
      const session = await initialized(server.url);
      for (const name of ["sessionId", "session_id"]) {
        const call = toolCall("echo", { text: name });
        expect((await post(`${server.url}/messages?${name}=${session.id}`, call)).status).toBe(202);
        expect(textOf(await session.stream.message())).toBe(name);
      }
      session.stream.leave();
    });

    test("a slow call, its progress and the rest of the world share the stream, in order", async () => {
      const session = await initialized(server.url);
      await session.post(toolCall("sleep", { ms: 900, steps: 3 }, { id: "slow", progressToken: "p" }));
      await session.post(toolCall("echo", { text: "quick" }, { id: "quick" }));
      const messages = (await session.stream.messages(5)).map(({ id, params }) => id ?? params?.["progress"]);
      expect(messages.filter((message) => message !== "quick")).toEqual([1, 2, 3, "slow"]);
      expect(messages.indexOf("quick")).toBeLessThan(4);
      session.stream.leave();
    });

    test("the server's questions come on the stream, and are answered by POST", async () => {
      const session = await initialized(server.url, { elicitation: {} });
      for (const on of ["request", "standalone"]) {
        await session.post(toolCall("ask", { message: on, on }, { id: on }));
        const asked = await session.stream.message(({ method }) => method === "elicitation/create");
        expect(asked.params?.["message"]).toBe(on);
        const result = { action: "accept", content: { answer: `re: ${on}` } };
        await session.post({ jsonrpc: "2.0", id: asked.id, result });
        expect(textOf(await session.stream.message(({ id }) => id === on))).toContain(`re: ${on}`);
      }
      session.stream.leave();
    });

    test("a cancelled call is not answered; two with one id each are (B11)", async () => {
      const session = await initialized(server.url);
      await session.post(toolCall("sleep", { ms: 60_000 }, { id: "gone" }));
      await session.post(notification("notifications/cancelled", { requestId: "gone" }));
      await session.post(toolCall("sleep", { ms: 900 }, { id: 1 }));
      await session.post(toolCall("echo", { text: "quick" }, { id: 1 }));
      expect((await session.stream.messages(2)).map(textOf)).toEqual(["quick", "slept"]);
      session.stream.leave();
    });

    test("a batch is taken, and each of its requests answered (A11)", async () => {
      const session = await initialized(server.url);
      await session.post([request("ping", undefined, 1), request("ping", undefined, 2)]);
      expect((await session.stream.messages(2)).map(({ id }) => id)).toEqual([1, 2]);
      session.stream.leave();
    });

    test("messages over 2 MB pass", async () => {
      const session = await initialized(server.url);
      const text = "aé€😀".repeat(400_000);
      expect((await session.tool("echo", { text })) === text).toBe(true);
      session.stream.leave();
    });

    test("20 sessions never see each other's messages (A8)", async () => {
      const sessions = await Promise.all(upTo(20).map(() => initialized(server.url)));
      expect(new Set(sessions.map(({ id }) => id)).size).toBe(20);
      const echoed = await Promise.all(
        sessions.map(async (session, index) => {
          for (const n of upTo(20))
            await session.post(toolCall("echo", { text: `${index}.${n}` }, { id: n }));
          const messages = await session.stream.messages(20);
          session.stream.leave();
          return messages.map(textOf);
        }),
      );
      expect(echoed).toEqual(sessions.map((_, index) => upTo(20).map((n) => `${index}.${n}`)));
    });

    test("a request is answered before any initialize: SDK clients that reconnect send none (A10)", async () => {
      const session = await openSse(server.url);
      expect(await session.tool("echo", { text: "uninitialised" })).toBe("uninitialised");
      const tools = await session.request(request("tools/list"));
      expect(tools.result?.["tools"]).toEqual(
        expect.arrayContaining([expect.objectContaining({ name: "echo" })]),
      );
      session.stream.leave();
    });

    test("a client that speaks both finds out by POSTing initialize: 4xx, then GET (A12)", async () => {
      const probe = await post(`${server.url}/sse`, initialize());
      expect(probe.status).toBe(405);
      expect(probe.headers.get("allow")).toBe("GET");
      const session = await openSse(server.url);
      expect(session.endpoint).toContain("sessionId");
      session.stream.leave();
    });

    test.each([
      "application/json",
      "*/*",
      "text/*",
      "image/avif,image/webp,*/*;q=0.8",
      "text/event-stream;q=0",
    ])("GET /sse must name the event stream: %s does not", async (accept) => {
      const answer = await fetch(`${server.url}/sse`, { headers: { Accept: accept } });
      expect(answer.status).toBe(406);
      expect((await rawRequest(`${server.url}/sse`, {})).status).toBe(406);
    });

    test("a session id of the client's own choice opens nothing (C-07)", async () => {
      const headers = { Accept: "text/event-stream", "Mcp-Session-Id": "mine" };
      const answer = await fetch(`${server.url}/sse?sessionId=mine`, { headers });
      const first = new TextDecoder().decode((await answer.body?.getReader().read())?.value);
      expect(first).toMatch(/sessionId=/);
      expect(first).not.toMatch(/sessionId=mine/);
      expect((await post(`${server.url}/messages?sessionId=mine`, request("ping"))).status).toBe(404);
    });
  });

  describe("POST to HTTP+SSE that is turned away (C-23, G-25)", () => {
    const server = serve(subject, { HOLDFAST_MAX_BODY_BYTES: "2000" });

    test.each<[when: string, query: string, status: number, code: number]>([
      ["no session", "", 400, -32000],
      ["an empty session id", "?sessionId=", 400, -32600],
      ["a malformed session id", "?sessionId=a/b", 400, -32600],
      ["a session that was never issued", `?sessionId=${"0123456789abcdef".repeat(4)}`, 404, -32001],
    ])("%s: it names %s", async (_, query, status, code) => {
      const call = toolCall("echo", { text: "x" });
      const answer = await post(`${server.url}/messages${query}`, call);
      expect(answer.status).toBe(status);
      expect(await answer.json()).toMatchObject({ id: call.id, error: { code } });
    });

    test.each<
      [when: string, body: string, headers: Record<string, string>, status: number, code: number, id: unknown]
    >([
      ["not JSON", "{", {}, 400, -32700, null],
      ["not JSON-RPC", "{}", {}, 400, -32600, null],
      [
        "too large",
        JSON.stringify(toolCall("echo", { text: "x".repeat(2000) }, { id: "large" })),
        {},
        413,
        -32000,
        "large",
      ],
      [
        "not declared as JSON",
        JSON.stringify(request("ping")),
        { "Content-Type": "text/plain" },
        415,
        -32000,
        null,
      ],
    ])("a body that is %s", async (_, body, headers, status, code, id) => {
      const session = await initialized(server.url);
      const answer = await session.post(body, headers);
      expect(answer.status).toBe(status);
      expect(await answer.json()).toMatchObject({ id, error: { code } });
      session.stream.leave();
    });

    test("sessions of the two transports do not mix", async () => {
      const sse = await initialized(server.url);
      const streamable = await post(`${server.url}/mcp`, initialize());
      const id = streamable.headers.get("mcp-session-id") ?? "";
      expect((await post(`${server.url}/messages?sessionId=${id}`, request("ping"))).status).toBe(404);
      const crossed = await post(`${server.url}/mcp`, request("ping"), { "Mcp-Session-Id": sse.id });
      expect(crossed.status).toBe(404);
      expect(await sse.tool("echo", { text: "unharmed" })).toBe("unharmed");
      sse.stream.leave();
    });
  });

  describe("HTTP+SSE and principals", () => {
    const server = serve(subject, { TEST_AUTH: "on" });

    test("another principal cannot post to the session, nor resume it", async () => {
      const ann = await openSse(server.url, { headers: { Authorization: "Bearer ann:1" } });
      await ann.initialize();
      const bob = { Authorization: "Bearer bob:1" };
      expect((await ann.post(toolCall("echo", { text: "x" }), bob)).status).toBe(404);
      const theirs = await openSse(server.url, { lastEventId: ann.stream.lastEventId, headers: bob });
      expect(theirs.id).not.toBe(ann.id);
      expect((await fetch(`${server.url}/sse`, { headers: { Accept: "text/event-stream" } })).status).toBe(
        401,
      );
      theirs.stream.leave();
      ann.stream.leave();
    });
  });

  describe("HTTP+SSE, cut and resumed (R-11)", () => {
    const server = serve(subject);

    test("an EventSource comes back with its last event id: the same session, and what it missed, once", async () => {
      const session = await initialized(server.url);
      await session.post(toolCall("emit", { count: 10, on: "standalone" }, { id: "emit" }));
      const had = await session.stream.messages(4);
      session.stream.leave();
      const { lastEventId } = session.stream;
      // As a browser sends it, which is let in without a stream: its EventSource comes back.
      const browser = { "Sec-Fetch-Site": "same-origin" };
      const meanwhile = toolCall("echo", { text: "meanwhile" }, { id: "meanwhile" });
      expect((await session.post(meanwhile, browser)).status).toBe(202);
      const resumed = await openSse(server.url, { lastEventId });
      expect(resumed.id).toBe(session.id);
      const all = [...had, ...(await resumed.stream.messages(8))];
      expect(numbersOf(all)).toEqual(upTo(10));
      expect(all.flatMap(({ id }) => id ?? [])).toEqual(["emit", "meanwhile"]);
      expect(await resumed.tool("echo", { text: "on" })).toBe("on");
      resumed.stream.leave();
    });

    test("a call in flight is answered on the connection that came back", async () => {
      const session = await initialized(server.url);
      await session.post(toolCall("sleep", { ms: 500, steps: 2 }, { id: "slow", progressToken: "p" }));
      await session.stream.message();
      session.stream.leave();
      const resumed = await openSse(server.url, { lastEventId: session.stream.lastEventId });
      const messages = await resumed.stream.messages(2);
      expect(messages.map(({ id, params }) => id ?? params?.["progress"])).toEqual([2, "slow"]);
      resumed.stream.leave();
    });

    test("a second stream of one session takes over without losing a message", async () => {
      const session = await initialized(server.url);
      await session.post(toolCall("emit", { count: 200, intervalMs: 2, on: "standalone" }));
      const had = await session.stream.messages(20);
      const { lastEventId } = session.stream;
      const resumed = await openSse(server.url, { lastEventId });
      // With the answer to the call, which is one of them.
      const after = await resumed.stream.messages(181);
      expect(numbersOf([...had, ...after])).toEqual(upTo(200));
      await session.stream.rest();
      resumed.stream.leave();
    });

    test.each(["1", "no.such", "a.b.c", `${"0123456789abcdef".repeat(4)}.1.1`])(
      "the event id %s that nobody holds opens a new session: an EventSource gives up on errors",
      async (lastEventId) => {
        const session = await openSse(server.url, { lastEventId });
        expect(await session.tool("echo", { text: "fresh" })).toBe("fresh");
        session.stream.leave();
      },
    );
  });

  describe("HTTP+SSE behind a proxy", () => {
    const server = serve(subject, { HOLDFAST_PUBLIC_URL: "https://mcp.example/base" });

    test("publicUrl makes the endpoint absolute (G-23)", async () => {
      const answer = await fetch(`${server.url}/sse`, { headers: { Accept: "text/event-stream" } });
      const first = new TextDecoder().decode((await answer.body?.getReader().read())?.value);
      expect(first).toMatch(/^event: endpoint\ndata: https:\/\/mcp\.example\/base\/messages\?sessionId=/);
    });
  });
}
