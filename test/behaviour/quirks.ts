/** What is done for clients that need it, told by their headers, and for nobody else (`src/http/quirks.ts`). @module */
import { Client as OldClient } from "sdk-1.20/client/index.js";
import { StreamableHTTPClientTransport as OldTransport } from "sdk-1.20/client/streamableHttp.js";
import { describe, expect, test } from "vitest";
import { openSse } from "../support/http-sse.ts";
import { openSession, post } from "../support/mcp.ts";
import { notNow } from "../support/not-now.ts";
import {
  type Message,
  notification,
  numbersOf,
  request,
  textOf,
  toolCall,
  upTo,
  VERSIONS,
} from "../support/messages.ts";
import { openingOf, readEvents } from "../support/sse.ts";
import { serve, type Subject } from "../support/subject.ts";
import { eventually, within } from "../support/wait.ts";

const JAVA = { "User-Agent": "Java-http-client/21.0.4" };
const PYTHON = { "User-Agent": "python-httpx/0.28.1" };
const GO = { "User-Agent": "Go-http-client/1.1" };
const AI_SDK = { "User-Agent": "ai-sdk/2.0.99 runtime/node.js/24" };
/** What browsers send, and nobody else. */
const BROWSERS = [{ Origin: "http://localhost:3000" }, { "Sec-Fetch-Site": "same-origin" }];

export function testQuirks(subject: Subject): void {
  describe.concurrent("clients that fail on `retry:`", () => {
    const server = serve(subject, { HOLDFAST_QUICK_ANSWER_MS: "50" });

    test.each(VERSIONS)("in %s, Java is never sent one, whatever opens the stream", async (version) => {
      const session = await openSession(server.url, { version, headers: JAVA });
      const [standalone, call] = [
        await session.get(),
        await session.stream(toolCall("sleep", { ms: 500, steps: 2 }, { progressToken: "p" })),
      ];
      expect(textOf((await call.rest()).at(-1) ?? {})).toBe("slept");
      await session.tool("emit", { count: 1, on: "standalone" });
      await standalone.message();
      standalone.leave();
      const resumed = await session.get(standalone.lastEventId);
      await session.tool("emit", { count: 1, on: "standalone" });
      await resumed.message();
      for (const { text } of [standalone, call, resumed]) expect(text).not.toMatch(/^retry:/m);
      if (version >= "2025-11-25") expect(call.text).toMatch(/^id: \S+\ndata: \n\n/);
      resumed.leave();
    });

    test("over HTTP+SSE neither", async () => {
      const headers = { ...JAVA, Accept: "text/event-stream" };
      const stream = readEvents(await fetch(`${server.url}/sse`, { headers }));
      await stream.next();
      expect(stream.text).toMatch(/^event: endpoint\ndata: \S+\n\n/);
      expect(stream.text).not.toContain("retry:");
      stream.leave();
    });

    test.each(["node", "Java/21 (a browser's plug-in)", "my-Java-http-client/1"])(
      "others are: %s",
      async (agent) => {
        const session = await openSession(server.url, { headers: { "User-Agent": agent } });
        const stream = await session.get();
        await stream.next();
        expect(stream.text).toMatch(openingOf(session.version));
        stream.leave();
      },
    );
  });

  describe.concurrent("clients that do not come back from an end in order", () => {
    const server = serve(subject, { HOLDFAST_MAX_STREAM_MS: "1000", HOLDFAST_RETRY_MS: "100" });

    test.each(VERSIONS)("in %s, a standalone stream that has reached its age", async (version) => {
      const session = await openSession(server.url, { version });
      const stream = await session.get();
      expect(await (version >= "2025-11-25" ? stream.rest() : stream.untilBroken())).toEqual([]);
    });

    test("breaks for the AI SDK in any version", async () => {
      const session = await openSession(server.url, { headers: AI_SDK });
      expect(await (await session.get()).untilBroken()).toEqual([]);
    });

    test("ends in order for a client that has come by another connection", async () => {
      const session = await openSession(server.url, { version: "2025-06-18" });
      const first = await session.get();
      await first.next();
      const second = await session.get();
      expect(await first.rest()).toEqual([]);
      second.leave();
    });

    test.each([
      { version: "2025-03-26", headers: {} },
      { version: "2025-06-18", headers: {} },
      { version: "2025-11-25", headers: JAVA },
      { version: "2025-11-25", headers: AI_SDK },
    ])("their calls may take longer than a stream: $version $headers", async (setup) => {
      const session = await openSession(server.url, setup);
      const slow = toolCall("sleep", { ms: 3500, steps: 7 }, { progressToken: "p" });
      const messages = await (await session.stream(slow)).rest();
      // Renewed behind their connection: nothing lost, nothing doubled.
      expect(messages.map((message) => message.params?.["progress"] ?? textOf(message))).toEqual([
        ...upTo(7),
        "slept",
      ]);
    });

    test("SDK client 1.20.0 hears of everything, over any number of streams, and gets its call's answer", async () => {
      const client = new OldClient({ name: "old", version: "0" });
      const heard: Message[] = [];
      client.fallbackNotificationHandler = (told: unknown) => {
        heard.push(told as Message);
        return Promise.resolve();
      };
      await client.connect(new OldTransport(new URL(`${server.url}/mcp`)));
      await client.callTool({ name: "emit", arguments: { count: 40, intervalMs: 100, on: "standalone" } });
      const slow = client.callTool({ name: "sleep", arguments: { ms: 2500 } });
      expect(await within(slow, "the answer")).toMatchObject({ content: [{ text: "slept" }] });
      await eventually(() => expect(numbersOf(heard)).toEqual(upTo(40)));
      await client.close();
    });
  });

  describe.concurrent("HTTP+SSE: clients that never come back to their stream", () => {
    const server = serve(subject);

    /** A session whose stream is gone, and known to be. */
    const left = async (): Promise<Awaited<ReturnType<typeof openSse>>> => {
      const session = await openSse(server.url);
      await session.initialize();
      session.stream.leave();
      await eventually(async () => expect((await session.post(request("ping"))).status).toBe(404));
      return session;
    };

    test("are refused what would be answered there, at once, and nothing is run", async () => {
      const session = await left();
      const call = toolCall("counter", { by: 5 });
      const refused = await session.post(call);
      expect(refused.status).toBe(404);
      expect(await refused.json()).toMatchObject({ id: call.id, error: { code: -32001 } });
      expect((await session.post([request("ping"), notification("notifications/x")])).status).toBe(404);
      // These ask for no answer.
      expect((await session.post(notification("notifications/x"))).status).toBe(202);
      expect((await session.post({ jsonrpc: "2.0", id: "x", result: {} })).status).toBe(202);
      const back = await openSse(server.url, { lastEventId: session.stream.lastEventId });
      expect(await back.tool("counter", { by: 1 })).toBe("1");
      back.stream.leave();
    });

    test.each(BROWSERS)("a browser's EventSource comes back for it: %j", async (browser) => {
      const session = await left();
      const call = toolCall("echo", { text: "kept" });
      expect((await session.post(call, browser)).status).toBe(202);
      const back = await openSse(server.url, { lastEventId: session.stream.lastEventId });
      expect(textOf(await back.stream.message(({ id }) => id === call.id))).toBe("kept");
      back.stream.leave();
    });

    test("what Node's fetch says of itself makes it no browser", async () => {
      const session = await left();
      const answer = await post(`${server.url}${session.endpoint}`, request("ping"), {
        "Sec-Fetch-Mode": "cors",
      });
      expect(answer.status).toBe(404);
    });
  });

  describe.concurrent("Python, which counts how often its stream broke", () => {
    const server = serve(subject);

    test("has each resume begin with an end in order, and loses nothing by it", async () => {
      const session = await openSession(server.url, { headers: PYTHON });
      let last: string | undefined;
      for (let n = 1; n <= 3; n++) {
        if (last !== undefined) {
          const ended = await session.get(last);
          expect(await ended.rest()).toEqual([]);
          expect(ended.text).toMatch(/^id: \S+\nretry: 20\ndata: \n\n$/);
          last = ended.lastEventId;
        }
        const stream = await session.get(last);
        await session.tool("emit", { count: 2, on: "standalone" });
        expect(numbersOf(await stream.messages(2))).toEqual([1, 2]);
        expect(stream.text).toMatch(openingOf(session.version));
        last = stream.lastEventId;
        stream.leave();
        // Meanwhile: what nobody listens to.
        await session.tool("emit", { count: 1, on: "standalone" });
        const ended = await session.get(last);
        await ended.rest();
        const back = await session.get(ended.lastEventId);
        expect(numbersOf(await back.messages(1))).toEqual([1]);
        last = back.lastEventId;
        back.leave();
      }
    });

    test("resumes a call's stream as well", async () => {
      const session = await openSession(server.url, { headers: PYTHON });
      const call = await session.stream(toolCall("sleep", { ms: 700 }, { id: "slow" }));
      // The hint, and the event that it stands in.
      for (let n = 0; n < 2; n++) await call.next();
      call.leave();
      const ended = await session.get(call.lastEventId);
      expect(await ended.rest()).toEqual([]);
      expect(textOf(await (await session.get(ended.lastEventId)).message(({ id }) => id === "slow"))).toBe(
        "slept",
      );
    });

    test("is told as anybody is of an event id that is none, and of a session that is gone", async () => {
      const session = await openSession(server.url, { headers: PYTHON });
      for (const id of ["nonsense", "nonsense~", "~", "a.1~~", "a.1~"]) {
        const answer = await session.fetch("GET", { "Last-Event-ID": id });
        expect([id, answer.status]).toEqual([id, 400]);
        await answer.body?.cancel();
      }
      expect((await session.fetch("DELETE")).status).toBe(204);
      expect((await session.fetch("GET", { "Last-Event-ID": "a.1~" })).status).toBe(404);
    });

    test("others are resumed at once, with the mark or without", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      await session.tool("emit", { count: 1, on: "standalone" });
      await stream.message();
      stream.leave();
      for (const mark of ["", "~"]) {
        await session.tool("emit", { count: 1, on: "standalone" });
        const back = await session.get(`${stream.lastEventId}${mark}`);
        await back.message();
        back.leave();
      }
    });
  });

  describe.concurrent("Go's SDK 1.3, which announces elicitation in capitals", () => {
    const server = serve(subject);
    const capabilities = { elicitation: { Form: null, URL: null } };

    test("is asked, over Streamable HTTP and over HTTP+SSE", async () => {
      const session = await openSession(server.url, { headers: GO, version: "2025-06-18", capabilities });
      const call = await session.stream(toolCall("ask", { message: "Colour?", on: "request" }));
      expect((await call.message()).method).toBe("elicitation/create");
      call.leave();
      const sse = await openSse(server.url, { headers: GO });
      await sse.initialize(capabilities);
      await sse.post(toolCall("ask", { message: "Colour?", on: "request" }));
      expect((await sse.stream.message()).method).toBe("elicitation/create");
      sse.stream.leave();
    });

    test("others mean what they say", async () => {
      const session = await openSession(server.url, { capabilities });
      const answer = await session.post(toolCall("ask", { message: "Colour?", on: "request" }, { id: 1 }));
      expect(await answer.json()).toMatchObject({ id: 1, result: { isError: true } });
    });
  });

  describe.concurrent("the AI SDK, whose session is gone", () => {
    const server = serve(subject);

    test("hears it from the status alone, and others in JSON-RPC", async () => {
      for (const [headers, type, text] of [
        [AI_SDK, "text/plain", "Session not found"],
        [{}, "application/json", /"code":-32001/],
      ] as const) {
        const session = await openSession(server.url, { headers });
        await session.fetch("DELETE");
        const answer = await session.post(request("ping"));
        expect([answer.status, answer.headers.get("content-type")]).toEqual([404, type]);
        expect(await answer.text()).toMatch(text);
        const stranger = await post(`${server.url}/mcp`, request("ping"), {
          ...headers,
          "Mcp-Session-Id": "0123456789abcdef".repeat(4),
        });
        expect([stranger.status, stranger.headers.get("content-type")]).toEqual([404, type]);
        await stranger.text();
      }
    });
  });

  describe("HTTP+SSE: Python's and Go's clients, which an error status ends", () => {
    const server = serve(subject, { TEST_EVENTS: "on", HOLDFAST_MAX_IN_FLIGHT: "1" });

    test("are told of a wrong moment on their stream, and operators of what it would have been", async () => {
      const session = await openSse(server.url);
      await session.initialize();
      await session.post(toolCall("sleep", { ms: 1500 }, { id: "long" }));
      const batch = [request("ping", undefined, "a"), request("ping", undefined, "b")];
      for (const body of [request("ping", undefined, "one"), batch]) {
        const answer = await session.post(body);
        expect([answer.status, await answer.text(), answer.headers.get("retry-after")]).toEqual([
          202,
          "",
          null,
        ]);
      }
      const told = await session.stream.messages(3);
      expect(told).toEqual(["one", "a", "b"].map((id) => notNow(id)));
      expect(textOf(await session.stream.message(({ id }) => id === "long"))).toBe("slept");
      expect(await session.tool("echo", { text: "on" })).toBe("on");
      await eventually(() => {
        const refused = server
          .events()
          .filter(({ type, refused: status }) => type === "request" && status === 429);
        expect(refused.map(({ status }) => status)).toEqual([202, 202]);
      });
      session.stream.leave();
    });
  });
}
