/** The rules of recovery, one by one, against a server that does what the test says. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { lostAs400, recoveringFetch, type RecoveringFetchOptions } from "../../src/client/index.ts";
import { initialize, notification, request } from "../support/messages.ts";
import { SDKS } from "./support/clients.ts";
import { logEvents } from "./support/events.ts";
import { openRawSession, type RawSession, readMessages, URL_OF_SCRIPT } from "./support/raw-session.ts";
import { createScript, openStream, pass, reply, type Script, type ScriptStream } from "./support/script.ts";

/** Answers tool calls and what else is asked with the session's own name. */
const named: Script["answer"] = ({ method, message, headers }) =>
  method === "POST" &&
  message?.id !== undefined &&
  message.method !== "initialize" &&
  message.method !== "ping"
    ? reply(message, { session: headers.get("mcp-session-id") })
    : pass();

async function opened(
  options: RecoveringFetchOptions = {},
  answer: Script["answer"] = named,
): Promise<{ script: Script; session: RawSession; events: ReturnType<typeof logEvents> }> {
  const script = createScript(answer);
  const events = logEvents();
  const retry = { initialDelayMs: 1, maxDelayMs: 5, jitter: 0, ...options.retry };
  const fetch = recoveringFetch({ onEvent: events.onEvent, ...options, retry, fetch: script.fetch });
  return { script, session: await openRawSession(fetch), events };
}

const sessionOf = async (response: Response): Promise<unknown> =>
  ((await response.json()) as { result: { session: unknown } }).result.session;

afterEach(() => vi.useRealTimers());

describe("what counts as a lost session", () => {
  test("404 for a request with a session id, and for no other", async () => {
    const script = createScript(() => new Response("no such route", { status: 404 }));
    const fetch = recoveringFetch({ fetch: script.fetch });
    const bare = await fetch(URL_OF_SCRIPT, { method: "POST", body: JSON.stringify(request("tools/list")) });
    expect([bare.status, await bare.text()]).toEqual([404, "no such route"]);
    expect((await fetch(URL_OF_SCRIPT, { method: "GET" })).status).toBe(404);
    expect((await fetch("http://script.test/.well-known/oauth-authorization-server")).status).toBe(404);
    expect(script.sent).toHaveLength(3);
  });

  test("a session that was opened elsewhere cannot be opened anew: its 404 passes", async () => {
    const script = createScript(named);
    const fetch = recoveringFetch({ fetch: script.fetch });
    const headers = { "mcp-session-id": "from-elsewhere" };
    const body = JSON.stringify(request("tools/list"));
    expect((await fetch(URL_OF_SCRIPT, { method: "POST", headers, body })).status).toBe(404);
    expect((await fetch(URL_OF_SCRIPT, { method: "GET", headers })).status).toBe(404);
    expect(
      (await fetch(URL_OF_SCRIPT, { method: "POST", headers, body: JSON.stringify(notification("x")) }))
        .status,
    ).toBe(404);
    expect(script.sent).toHaveLength(3);
  });

  test("a server that keeps no sessions loses none: its 404 passes", async () => {
    const script = createScript(({ message }) =>
      message?.method === "initialize"
        ? reply(message, { protocolVersion: "2025-11-25", capabilities: {} })
        : new Response("no such method", { status: 404 }),
    );
    const asked: unknown[] = [];
    const fetch = recoveringFetch({ fetch: script.fetch, sessionLost: (given) => asked.push(given) > 0 });
    const send = (message: object): Promise<Response> =>
      fetch(URL_OF_SCRIPT, { method: "POST", body: JSON.stringify(message) });
    await send(initialize());
    for (const message of [request("tools/list"), notification("notifications/x")]) {
      const answer = await send(message);
      expect([answer.status, await answer.text()]).toEqual([404, "no such method"]);
    }
    expect(script.sent).toHaveLength(3);
    expect(asked).toEqual([]);
  });

  test("nor does one that keeps none any more", async () => {
    const { script, session } = await opened({ retry: { initialDelayMs: 0 } }, (given) => {
      const { message } = given;
      if (message?.method !== "initialize")
        return message?.method === "tools/list" ? new Response(null, { status: 404 }) : pass();
      return given.n === 1 ? pass() : reply(message, { protocolVersion: "2025-11-25", capabilities: {} });
    });
    script.sessions.clear();
    expect((await session.call("tools/list")).status).toBe(404);
    expect((await session.call("tools/list")).status).toBe(404);
    expect(script.of("initialize")).toHaveLength(2);
    expect(script.of("tools/list").map(({ headers }) => headers.get("mcp-session-id"))).toEqual([
      "session-1",
      null,
      null,
    ]);
  });

  test("a refusal that names another session is no answer of this one's", async () => {
    const script = createScript(named);
    script.sessions.add("successor");
    const fetch = recoveringFetch({
      fetch: async (input, init) => {
        const answer = await script.fetch(input, init);
        return answer.status === 404
          ? new Response(null, { status: 404, headers: { "mcp-session-id": "successor" } })
          : answer;
      },
    });
    const call = (id: string): Promise<Response> =>
      fetch(URL_OF_SCRIPT, {
        method: "POST",
        headers: { "mcp-session-id": id },
        body: JSON.stringify(request("tools/list")),
      });
    expect((await call("from-elsewhere")).status).toBe(404);
    expect(await sessionOf(await call("successor"))).toBe("successor");
  });

  test("400 only where the caller says so", async () => {
    const stale: Script["answer"] = (given) =>
      given.headers.get("mcp-session-id") === "session-1" && given.message?.id !== undefined
        ? new Response("Bad Request: Server not initialized", { status: 400 })
        : named(given);
    const plain = await opened({}, stale);
    expect((await plain.session.call("tools/list")).status).toBe(400);
    const matched = await opened({ sessionLost: lostAs400 }, stale);
    expect(await sessionOf(await matched.session.call("tools/list"))).toBe("session-2");
  });

  test("the ready-made matcher takes a lost session for lost, and a bad request for bad", () => {
    expect(lostAs400({ status: 400, body: "Bad Request: No valid session ID provided" })).toBe(true);
    expect(
      lostAs400({ status: 400, body: '{"error":{"message":"Bad Request: Server not initialized"}}' }),
    ).toBe(true);
    expect(lostAs400({ status: 400, body: "Parse error" })).toBe(false);
    expect(lostAs400({ status: 403, body: "invalid session" })).toBe(false);
  });

  test("a server without a GET route says 404 as well: the session lives on", async () => {
    const noGet: Script["answer"] = (given) =>
      given.method === "GET" ? new Response("Cannot GET /mcp", { status: 404 }) : named(given);
    const { script, session } = await opened({}, noGet);
    const answer = await session.get();
    expect([answer.status, await answer.text()]).toEqual([404, "Cannot GET /mcp"]);
    expect(script.of("ping")).toHaveLength(1);
    expect(script.of("initialize")).toHaveLength(1);
  });
});

describe("opening a session", () => {
  test("is asked for without an id, also by a client that still has one", async () => {
    const script = createScript(named);
    const fetch = recoveringFetch({ fetch: script.fetch });
    const headers = { "mcp-session-id": "of another time" };
    const body = JSON.stringify(initialize());
    const answer = await fetch(URL_OF_SCRIPT, { method: "POST", headers, body });
    expect(answer.headers.get("mcp-session-id")).toBe("session-1");
    expect(script.sent[0]?.headers.has("mcp-session-id")).toBe(false);
  });
});

describe("opening a session anew", () => {
  test("asks without the old id and its version, and with the credentials of the moment", async () => {
    const { script, session } = await opened();
    script.sessions.clear();
    const headers = { authorization: "Bearer fresh", "x-tenant": "a" };
    expect(await sessionOf(await session.post(request("tools/list"), { headers }))).toBe("session-2");
    const [first, again] = script.of("initialize");
    expect(again?.message).toEqual(first?.message);
    expect(Object.fromEntries(again?.headers ?? [])).toEqual({
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      authorization: "Bearer fresh",
      "x-tenant": "a",
    });
    const [, initialized] = script.of("notifications/initialized");
    expect(initialized?.headers.get("mcp-session-id")).toBe("session-2");
    expect(initialized?.headers.get("mcp-protocol-version")).toBe("2025-11-25");
  });

  test("requests that come meanwhile wait for it, and are sent once", async () => {
    let proceed = (): void => undefined;
    const { script, session } = await opened({}, async (given) => {
      if (given.message?.method === "initialize" && given.n === 2) {
        await new Promise<void>((resolve) => (proceed = resolve));
      }
      return named(given);
    });
    script.sessions.clear();
    const first = session.call("tools/list");
    await script.nth("initialize", 2);
    const second = session.call("prompts/list");
    proceed();
    expect(await sessionOf(await first)).toBe("session-2");
    expect(await sessionOf(await second)).toBe("session-2");
    expect(script.of("prompts/list")).toHaveLength(1);
  });

  test("is told to the application before the requests that waited go on", async () => {
    const order: string[] = [];
    const { script, session } = await opened({
      onReinitialized({ previous, current, changed }) {
        order.push("hook");
        expect(previous).toMatchObject({ sessionId: "session-1", protocolVersion: "2025-11-25" });
        expect(current).toMatchObject({
          sessionId: "session-2",
          protocolVersion: "2025-06-18",
          instructions: "new",
        });
        expect([...changed].toSorted()).toEqual(["capabilities", "instructions", "protocolVersion"]);
      },
    });
    script.sessions.clear();
    script.result = {
      protocolVersion: "2025-06-18",
      capabilities: { tools: { listChanged: true } },
      instructions: "new",
    };
    await session.call("tools/list").then(() => order.push("answer"));
    expect(order).toEqual(["hook", "answer"]);
    // From here on requests name the version of the session that they are sent in.
    const last = script.sent.at(-1);
    expect([last?.headers.get("mcp-session-id"), last?.headers.get("mcp-protocol-version")]).toEqual([
      "session-2",
      "2025-06-18",
    ]);
  });

  test("a hook that throws breaks nothing", async () => {
    const printed = vi.spyOn(console, "error").mockReturnValue();
    const { script, session } = await opened({
      onReinitialized: () => {
        throw new Error("of the application");
      },
    });
    script.sessions.clear();
    expect(await sessionOf(await session.call("tools/list"))).toBe("session-2");
    expect(printed).toHaveBeenCalledExactlyOnceWith(new Error("of the application"));
    printed.mockRestore();
  });

  test("what the new session does not take of the old one's state is said", async () => {
    const { script, session, events } = await opened({}, (given) => {
      const refused =
        given.message?.method === "resources/subscribe" &&
        given.headers.get("mcp-session-id") === "session-2";
      return refused
        ? Response.json({ jsonrpc: "2.0", id: given.message?.id, error: { code: -32601, message: "no" } })
        : named(given);
    });
    await session.call("resources/subscribe", { uri: "test://a" });
    await session.call("resources/subscribe", { uri: "test://b" });
    await session.call("resources/unsubscribe", { uri: "test://b" });
    await session.call("logging/setLevel", { level: "error" });
    script.sessions.clear();
    await session.call("tools/list");
    expect(events.of("restore-failed").map(({ message }) => message["params"])).toEqual([
      { uri: "test://a" },
    ]);
    expect(script.of("logging/setLevel").map(({ headers }) => headers.get("mcp-session-id"))).toEqual([
      "session-1",
      "session-2",
    ]);
    expect(script.of("resources/subscribe")).toHaveLength(3);
  });

  test("its answer may come as an event stream", async () => {
    const { script, session } = await opened({}, (given) => {
      if (given.message?.method !== "initialize" || given.n === 1) return named(given);
      script.sessions.add("streamed");
      const stream = openStream();
      stream.send(notification("notifications/message", { level: "info", data: "first" }));
      stream.send({
        jsonrpc: "2.0",
        id: given.message.id,
        result: { protocolVersion: "2025-11-25", capabilities: {} },
      });
      stream.response.headers.set("mcp-session-id", "streamed");
      return stream.response;
    });
    script.sessions.clear();
    expect(await sessionOf(await session.call("tools/list"))).toBe("streamed");
  });

  test("is not done again for a 404 that comes when it is done", async () => {
    const script = createScript(named);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const fetch = recoveringFetch({
      async fetch(input, init) {
        const answer = await script.fetch(input, init);
        if (answer.status === 404 && String(init?.body).includes("prompts/list")) await held;
        return answer;
      },
    });
    const session = await openRawSession(fetch);
    script.sessions.clear();
    const late = session.call("prompts/list");
    expect(await sessionOf(await session.call("tools/list"))).toBe("session-2");
    release();
    expect(await sessionOf(await late)).toBe("session-2");
    expect(script.of("initialize")).toHaveLength(2);
    expect(script.of("prompts/list")).toHaveLength(2);
  });

  test("is done once for all, also where the server gives the id that it forgot once more", async () => {
    let known = true;
    const script = createScript((given) => {
      if (given.message?.method !== "initialize") {
        if (!known) return new Response(null, { status: 404 });
        return given.message?.id === undefined ? pass() : named(given);
      }
      known = true;
      script.sessions.add("always-the-same");
      const facts = { protocolVersion: "2025-11-25", capabilities: {} };
      return reply(given.message, facts, { "mcp-session-id": "always-the-same" });
    });
    const session = await openRawSession(recoveringFetch({ fetch: script.fetch }));
    known = false;
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => sessionOf(await session.call("tools/list"))),
    );
    expect(new Set(answers)).toEqual(new Set(["always-the-same"]));
    expect(script.of("initialize")).toHaveLength(2);
  });

  test("one that fails half-way leaves all as it was", async () => {
    let refusing = true;
    const { script, session, events } = await opened({}, (given) =>
      refusing && given.message?.method === "notifications/initialized" && given.n === 2
        ? new Response(null, { status: 503 })
        : named(given),
    );
    script.sessions.clear();
    script.result = { instructions: "new" };
    expect((await session.call("tools/list")).status).toBe(404);
    const { retryInMs } = await events.nth("recovery-failed");
    refusing = false;
    await vi.waitFor(async () => expect((await session.call("tools/list")).status).toBe(200));
    expect(retryInMs).toBe(1);
    expect(events.of("reinitialized")).toMatchObject([
      {
        previous: { sessionId: "session-1" },
        current: { sessionId: "session-3" },
        changed: ["instructions"],
      },
    ]);
    expect(script.of("initialize").map(({ headers }) => headers.get("mcp-session-id"))).toEqual([
      null,
      null,
      null,
    ]);
  });

  test("sessions of one fetch are told apart", async () => {
    const script = createScript(named);
    const fetch = recoveringFetch({ fetch: script.fetch });
    const first = await openRawSession(fetch);
    const second = await openRawSession(fetch);
    script.sessions.delete(first.id);
    expect(await sessionOf(await first.call("tools/list"))).toBe("session-3");
    expect(await sessionOf(await second.call("tools/list"))).toBe("session-2");
    expect(script.of("initialize")).toHaveLength(3);
  });
});

describe("when it cannot be had", () => {
  const calls = (session: RawSession, count: number): Promise<number[]> =>
    Promise.all(Array.from({ length: count }, async () => (await session.call("tools/list")).status));

  test.each(SDKS)("$name: a 404 that persists is one error for each call, and no loop", async (sdk) => {
    const dead: Script["answer"] = ({ message }) =>
      message?.method === "tools/call" ? new Response(null, { status: 404 }) : pass();
    const script = createScript(dead);
    const events = logEvents();
    const retry = { initialDelayMs: 60_000, maxDelayMs: 60_000 };
    const client = await sdk.connect(
      URL_OF_SCRIPT,
      recoveringFetch({ fetch: script.fetch, retry, onEvent: events.onEvent }),
    );
    await expect(client.call("echo", { text: "x" })).rejects.toThrow(/404|Error POSTing/);
    expect(script.of("tools/call")).toHaveLength(2);
    expect(script.of("initialize")).toHaveLength(2);
    // For a while, no other session is asked for: what a call meets now is the server's plain 404.
    await expect(client.call("echo", { text: "x" })).rejects.toThrow(/404|Error POSTing/);
    expect(script.of("tools/call")).toHaveLength(3);
    expect(script.of("initialize")).toHaveLength(2);
    expect(events.of("recovery-failed")).toHaveLength(1);
    await client.close();
  });

  test("calls that are turned away together count as one failure", async () => {
    const { script, session, events } = await opened(
      { retry: { initialDelayMs: 60_000, maxDelayMs: 600_000 } },
      ({ message }) => (message?.method === "tools/list" ? new Response(null, { status: 404 }) : pass()),
    );
    expect(await calls(session, 10)).toEqual(Array.from({ length: 10 }, () => 404));
    expect(script.of("tools/list")).toHaveLength(20);
    expect(script.of("initialize")).toHaveLength(2);
    expect(events.of("recovery-failed").map(({ retryInMs }) => retryInMs)).toEqual([60_000]);
  });

  test("the 404 is shown, and initialize is not asked for again until the wait is over", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const { script, session, events } = await opened(
      { retry: { initialDelayMs: 1000, maxDelayMs: 30_000 } },
      (given) =>
        given.message?.method === "initialize" && given.n > 1
          ? new Response(null, { status: 503 })
          : named(given),
    );
    script.sessions.clear();
    expect(await calls(session, 10)).toEqual(Array.from({ length: 10 }, () => 404));
    expect(script.of("initialize")).toHaveLength(2);
    expect(events.of("recovery-failed").map(({ retryInMs }) => retryInMs)).toEqual([1000]);
    expect(await calls(session, 10)).toContain(404);
    expect(script.of("initialize")).toHaveLength(2);
    vi.advanceTimersByTime(1000);
    expect(await calls(session, 10)).toContain(404);
    expect(script.of("initialize")).toHaveLength(3);
    expect(events.of("recovery-failed").map(({ retryInMs }) => retryInMs)).toEqual([1000, 2000]);
  });

  test("a server that does not answer is waited for no longer than the limit", async () => {
    const { script, session, events } = await opened({ retry: { timeoutMs: 30 } }, (given) =>
      given.message?.method === "initialize" && given.n > 1 ? new Promise(() => undefined) : named(given),
    );
    script.sessions.clear();
    expect((await session.call("tools/list")).status).toBe(404);
    expect(events.of("recovery-failed")[0]?.cause).toMatchObject({ name: "TimeoutError" });
    expect(script.of("initialize")[1]?.signal?.aborted).toBe(true);
  });

  test.each([401, 403])(
    "a %i is every waiting caller's own to deal with, and does not count as failure",
    async (status) => {
      const { script, session, events } = await opened({}, (given) => {
        const { message, headers } = given;
        const unauthorized =
          message?.method === "initialize" && given.n > 1 && headers.get("authorization") !== "Bearer new";
        return unauthorized
          ? new Response("who are you", {
              status,
              headers: { "www-authenticate": 'Bearer resource_metadata="x"' },
            })
          : named(given);
      });
      script.sessions.clear();
      const refused = await Promise.all([session.call("tools/list"), session.call("prompts/list")]);
      for (const answer of refused) {
        expect([answer.status, await answer.text()]).toEqual([status, "who are you"]);
        expect(answer.headers.get("www-authenticate")).toBe('Bearer resource_metadata="x"');
      }
      expect(script.of("initialize")).toHaveLength(2);
      const headers = { authorization: "Bearer new" };
      expect(await sessionOf(await session.post(request("tools/list"), { headers }))).toBe("session-3");
      expect(events.of("recovery-failed")).toEqual([]);
    },
  );

  test("the one who began it may leave: those who wait begin another", async () => {
    const { script, session } = await opened({}, (given) =>
      given.message?.method === "initialize" && given.n === 2 ? new Promise(() => undefined) : named(given),
    );
    script.sessions.clear();
    const leaving = new AbortController();
    const left = session.post(request("tools/list"), { signal: leaving.signal });
    await script.nth("initialize", 2);
    const stayed = session.call("prompts/list");
    leaving.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    expect(await sessionOf(await stayed)).toBe("session-3");
  });
});

describe("what was meant for the dead session", () => {
  test("notifications are dropped, and the session is opened anew behind them", async () => {
    const { script, session, events } = await opened();
    script.sessions.clear();
    const answer = await session.post(notification("notifications/roots/list_changed"));
    expect(answer.status).toBe(202);
    await events.nth("reinitialized");
    expect(script.of("notifications/roots/list_changed")).toHaveLength(1);
  });

  test("answers are dropped, even when another request has opened the session anew before them", async () => {
    const { script, session } = await opened();
    script.sessions.clear();
    expect(await sessionOf(await session.call("tools/list"))).toBe("session-2");
    const before = script.sent.length;
    const answer = await session.post({ jsonrpc: "2.0", id: 0, result: { action: "accept" } });
    expect(answer.status).toBe(202);
    expect(script.sent).toHaveLength(before);
  });

  test.each(SDKS)(
    "$name: a question of the dead session, answered late, does not answer the new one's",
    async (sdk) => {
      const streams: ScriptStream[] = [];
      const script = createScript((given) => {
        if (given.method !== "GET") return named(given);
        const stream = openStream(given.signal);
        streams.push(stream);
        return stream.response;
      });
      const client = await sdk.connect(
        URL_OF_SCRIPT,
        recoveringFetch({ fetch: script.fetch, retry: { initialDelayMs: 1, maxDelayMs: 1 } }),
      );
      const answers = new Map<string, (answer: string) => void>();
      const asked: string[] = [];
      client.answer = (question) =>
        new Promise((resolve) => {
          asked.push(question);
          answers.set(question, resolve);
        });
      const ask = (message: string): object => ({
        jsonrpc: "2.0",
        id: 0,
        method: "elicitation/create",
        params: { message, requestedSchema: { type: "object", properties: {} } },
      });
      await script.nth("GET", 1);
      streams[0]?.send(ask("delete everything?"));
      await vi.waitFor(() => expect(asked).toEqual(["delete everything?"]));
      script.sessions.clear();
      await client.call("echo", { text: "x" });
      await script.nth("GET", 2);
      streams[1]?.send(ask("say hello?"));
      await vi.waitFor(() => expect(asked).toEqual(["delete everything?", "say hello?"]));
      answers.get("delete everything?")?.("yes, delete");
      answers.get("say hello?")?.("hello");
      await vi.waitFor(() => expect(posted()).toHaveLength(1));
      expect(posted()).toEqual([
        { jsonrpc: "2.0", id: 0, result: { action: "accept", content: { answer: "hello" } } },
      ]);
      await client.close();
      function posted(): unknown[] {
        return script.sent.map(({ message }) => message).filter((message) => message?.result !== undefined);
      }
    },
  );

  /** A client in its second session, that listens there. */
  const moved = async () => {
    let stream: ScriptStream | undefined;
    const { script, session } = await opened({}, (given) => {
      if (given.method !== "GET") return named(given);
      stream = openStream(given.signal);
      return stream.response;
    });
    script.sessions.clear();
    await session.call("tools/list");
    const messages = readMessages(await session.get());
    return { script, session, messages, stream };
  };

  test("a question that the new session calls off is named as the client knows it", async () => {
    const { script, session, messages, stream } = await moved();
    stream?.send({ jsonrpc: "2.0", id: 0, method: "roots/list" });
    stream?.send({
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: 0, reason: "late" },
    });
    stream?.send({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: 0 } });
    const { id } = await messages.next();
    expect(id).not.toBe(0);
    expect(await messages.next()).toMatchObject({ params: { requestId: id, reason: "late" } });
    expect(await messages.next()).toEqual({
      jsonrpc: "2.0",
      method: "notifications/message",
      params: { level: "info", data: 0 },
    });
    await session.post({ jsonrpc: "2.0", id: id as string, result: { roots: [] } });
    expect(script.sent.at(-1)?.message).toEqual({ jsonrpc: "2.0", id: 0, result: { roots: [] } });
  });

  test("a batch of questions arrives as it was sent", async () => {
    const { messages, stream } = await moved();
    const batch = [0, 1].map((id) => ({ jsonrpc: "2.0", id, method: "roots/list" }));
    stream?.send(batch);
    expect(await messages.next()).toEqual(batch);
  });
});

describe("leaving", () => {
  test("DELETE of a session that is gone is a success, and opens none", async () => {
    const { script, session } = await opened();
    script.sessions.clear();
    const answer = await session.delete();
    expect([answer.ok, await answer.text()]).toEqual([true, ""]);
    expect(script.of("initialize")).toHaveLength(1);
    // And nothing brings it back afterwards.
    expect((await session.call("tools/list")).status).toBe(404);
    expect(script.of("initialize")).toHaveLength(1);
  });

  test("DELETE goes to the session as the server knows it now", async () => {
    const { script, session } = await opened({}, (given) =>
      given.method === "DELETE" ? new Response(null, { status: 200 }) : named(given),
    );
    script.sessions.clear();
    await session.call("tools/list");
    await session.delete();
    expect(script.of("DELETE")[0]?.headers.get("mcp-session-id")).toBe("session-2");
  });

  test("a server that does not let a client end its session keeps it", async () => {
    const { script, session } = await opened({}, (given) =>
      given.method === "DELETE" ? new Response(null, { status: 405 }) : named(given),
    );
    expect((await session.delete()).status).toBe(405);
    script.sessions.clear();
    expect(await sessionOf(await session.call("tools/list"))).toBe("session-2");
  });
});

test.each([
  ["retry.attempts", { retry: { attempts: -1 } }],
  ["retry.initialDelayMs", { retry: { initialDelayMs: Number.NaN } }],
  ["retry.maxDelayMs", { retry: { maxDelayMs: -5 } }],
  ["retry.timeoutMs", { retry: { timeoutMs: -5 } }],
  ["retry.jitter", { retry: { jitter: -0.1 } }],
  ["retry.timeoutMs", { retry: { timeoutMs: Infinity } }],
  ["retry.initialDelayMs", { retry: { initialDelayMs: 2 ** 31 } }],
])("%s is checked when the fetch is made", (name, options) => {
  expect(() => recoveringFetch(options)).toThrow(new RangeError(`${name} must be from 0 to 2147483647`));
});
