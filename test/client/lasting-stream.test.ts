/** Streams that go on across dropped connections, and calls that are never left hanging. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { recoveringFetch, type RecoveringFetchOptions } from "../../src/client/index.ts";
import { notification, request } from "../support/messages.ts";
import { SDKS } from "./support/clients.ts";
import { logEvents } from "./support/events.ts";
import { openRawSession, type RawSession, readMessages, URL_OF_SCRIPT } from "./support/raw-session.ts";
import {
  type Answer,
  createScript,
  openStream,
  pass,
  reply,
  type Script,
  type ScriptStream,
} from "./support/script.ts";

const QUICK = { initialDelayMs: 1, maxDelayMs: 2, jitter: 0, attempts: 3 };
const PRIMING = "id: prime\ndata: \n\n";
const log = (data: unknown): object => notification("notifications/message", { level: "info", data });
const result = (given: { message?: { id?: unknown } | undefined }): object => ({
  jsonrpc: "2.0",
  id: given.message?.id,
  result: { content: [{ type: "text", text: "done" }] },
});
const interrupted = (id: unknown, reason: string, retryable = false): object => ({
  jsonrpc: "2.0",
  id,
  error: {
    code: -32603,
    message: `Connection lost before the answer (${reason})`,
    data: { reason: "interrupted", retryable },
  },
});

async function opened(
  answer: Answer,
  options: RecoveringFetchOptions = {},
): Promise<{ script: Script; session: RawSession; events: ReturnType<typeof logEvents> }> {
  const script = createScript(answer);
  const events = logEvents();
  const fetch = recoveringFetch({ retry: QUICK, onEvent: events.onEvent, ...options, fetch: script.fetch });
  return { script, session: await openRawSession(fetch), events };
}

afterEach(() => vi.useRealTimers());

describe("a call whose connection drops", () => {
  test.each(SDKS)("$name: goes on where it was, and its caller sees nothing", async (sdk) => {
    const script = createScript((given) => {
      const stream = openStream(given.signal);
      if (given.message?.method === "tools/call") {
        stream.send(log(1), "a-1");
        stream.fail();
        return stream.response;
      }
      // The standalone stream is not what this is about.
      if (given.method !== "GET") return pass();
      if (!given.headers.has("last-event-id")) return new Response(null, { status: 405 });
      const [call] = script.of("tools/call");
      if (given.headers.get("last-event-id") === "a-1") {
        stream.send(log(2), "a-2");
        stream.end();
      } else if (call) {
        stream.send(log(3), "a-3");
        stream.send(result(call), "a-4");
      }
      return stream.response;
    });
    const client = await sdk.connect(URL_OF_SCRIPT, recoveringFetch({ fetch: script.fetch, retry: QUICK }));
    expect(await client.call("echo")).toBe("done");
    expect(client.notifications.map(({ params }) => params?.["data"])).toEqual([1, 2, 3]);
    expect(script.of("tools/call")).toHaveLength(1);
    expect(client.errors).toEqual([]);
    await client.close();
  });

  test("keeps its event id over a resume that brings nothing", async () => {
    const { script, session, events } = await opened((given) => {
      const stream = openStream();
      if (given.message?.method === "tools/call") stream.write(PRIMING);
      else if (given.method !== "GET") return pass();
      else if (given.n === 3) stream.send(result(script.of("tools/call")[0] ?? {}));
      stream.end();
      return stream.response;
    });
    const messages = readMessages(await session.call("tools/call"));
    expect(await messages.rest()).toEqual([result(script.of("tools/call")[0] ?? {})]);
    expect(script.of("GET").map(({ headers }) => headers.get("last-event-id"))).toEqual([
      "prime",
      "prime",
      "prime",
    ]);
    expect(events.of("resumed").map(({ eventId, attempts }) => [eventId, attempts])).toEqual([
      ["prime", 1],
      ["prime", 1],
      ["prime", 1],
    ]);
  });

  test("gets an error at once where there is no event id, and the error says whether to ask again", async () => {
    const { script, session, events } = await opened((given) => {
      if (given.message?.id === undefined || given.message.method === "initialize") return pass();
      const stream = openStream();
      stream.end();
      return stream.response;
    });
    const call = request("tools/call", { name: "order" });
    expect(await readMessages(await session.post(call)).rest()).toEqual([
      interrupted(call.id, "no event id"),
    ]);
    const list = request("resources/templates/list");
    expect(await readMessages(await session.post(list)).rest()).toEqual([
      interrupted(list.id, "no event id", true),
    ]);
    expect(script.of("GET")).toEqual([]);
    expect(events.of("interrupted")).toMatchObject([{ ids: [call.id] }, { ids: [list.id] }]);
  });

  test.each(SDKS)(
    "$name: the error reaches the caller, and nobody asks for the stream again",
    async (sdk) => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      const script = createScript((given) => {
        if (given.method === "GET") return new Response(null, { status: 405 });
        if (given.message?.method !== "tools/call") return pass();
        const stream = openStream();
        stream.write("id: a-1\ndata: \n\n");
        stream.end();
        return stream.response;
      });
      const client = await sdk.connect(
        URL_OF_SCRIPT,
        recoveringFetch({ fetch: script.fetch, retry: { attempts: 0 } }),
      );
      await expect(client.call("echo")).rejects.toMatchObject({
        code: -32603,
        data: { reason: "interrupted" },
      });
      // SDK 1.32.2 asks once more after an error response; stock, it would open a second standalone stream then.
      await vi.advanceTimersByTimeAsync(10_000);
      expect(script.of("GET").filter(({ headers }) => headers.has("last-event-id"))).toEqual([]);
      await client.close();
    },
  );

  test("gets an error when the attempts to resume are used up, and no attempt more is made", async () => {
    const { script, session } = await opened((given) => {
      if (given.method === "GET") throw new TypeError("fetch failed");
      if (given.message?.method !== "tools/call") return pass();
      const stream = openStream();
      stream.write(PRIMING);
      stream.end();
      return stream.response;
    });
    const messages = await readMessages(await session.call("tools/call")).rest();
    expect(messages).toEqual([interrupted(script.of("tools/call")[0]?.message?.id, "no connection")]);
    expect(script.of("GET")).toHaveLength(QUICK.attempts);
  });

  test.each([405, 400, 401, 410])("gets an error when the resume meets %i", async (status) => {
    const { script, session } = await opened((given) => {
      if (given.method === "GET") return new Response(null, { status });
      if (given.message?.method !== "tools/call") return pass();
      const stream = openStream();
      stream.write(PRIMING);
      stream.end();
      return stream.response;
    });
    const messages = await readMessages(await session.call("tools/call")).rest();
    expect(messages).toEqual([interrupted(script.of("tools/call")[0]?.message?.id, `HTTP ${status}`)]);
    expect(script.of("GET")).toHaveLength(1);
  });

  test.each([409, 429, 500, 503])("tries again when the resume meets %i", async (status) => {
    const { script, session } = await opened((given) => {
      const stream = openStream();
      if (given.message?.method === "tools/call") stream.write(PRIMING);
      else if (given.method !== "GET") return pass();
      else if (given.n === 1) return new Response("busy", { status });
      else stream.send(result(script.of("tools/call")[0] ?? {}));
      stream.end();
      return stream.response;
    });
    expect(await readMessages(await session.call("tools/call")).rest()).toEqual([
      result(script.of("tools/call")[0] ?? {}),
    ]);
    expect(script.of("GET")).toHaveLength(2);
  });

  test("gets an error when the session is lost meanwhile: it may have been executed, so it is not sent again", async () => {
    const { script, session, events } = await opened((given) => {
      if (given.message?.method !== "tools/call") return pass();
      script.sessions.clear();
      const stream = openStream();
      stream.write(PRIMING);
      stream.end();
      return stream.response;
    });
    const messages = await readMessages(await session.call("tools/call")).rest();
    expect(messages).toEqual([interrupted(script.of("tools/call")[0]?.message?.id, "no session")]);
    expect(script.of("tools/call")).toHaveLength(1);
    // The session is there again for what comes next.
    expect(events.of("reinitialized")).toHaveLength(1);
    expect((await session.call("ping")).status).toBe(200);
    expect(script.of("initialize")).toHaveLength(2);
  });

  test("on a dead session's connection that is still open, the answer is taken", async () => {
    const streams: ScriptStream[] = [];
    const { script, session } = await opened((given) => {
      const { message } = given;
      if (message?.method === "tools/list") return reply(message, {});
      if (message?.method !== "tools/call") return pass();
      const stream = openStream();
      stream.write(PRIMING);
      streams.push(stream);
      return stream.response;
    });
    const messages = readMessages(await session.call("tools/call"));
    script.sessions.clear();
    expect((await session.call("tools/list")).status).toBe(200);
    streams[0]?.send(result(script.of("tools/call")[0] ?? {}));
    expect(await messages.rest()).toEqual([result(script.of("tools/call")[0] ?? {})]);
  });

  test("half a frame of the dropped connection is not mixed with the next", async () => {
    const { script, session } = await opened((given) => {
      const stream = openStream();
      if (given.message?.method === "tools/call") {
        stream.send(log("whole"), "1");
        stream.write('id: 2\ndata: {"jsonrpc":"2.0","method":"notifi');
      } else if (given.method === "GET") {
        stream.send(log("after"), "2");
        stream.send(result(script.of("tools/call")[0] ?? {}), "3");
      } else return pass();
      stream.end();
      return stream.response;
    });
    const messages = await readMessages(await session.call("tools/call")).rest();
    expect(messages).toEqual([log("whole"), log("after"), result(script.of("tools/call")[0] ?? {})]);
    expect(script.of("GET")[0]?.headers.get("last-event-id")).toBe("1");
  });

  test("ends with its answer, though the server keeps the connection open", async () => {
    const streams: ScriptStream[] = [];
    const { session } = await opened((given) => {
      if (given.message?.method !== "tools/call") return pass();
      const stream = openStream();
      stream.send(result(given));
      streams.push(stream);
      return stream.response;
    });
    const response = await session.call("tools/call");
    expect(await readMessages(response).rest()).toHaveLength(1);
    await streams[0]?.cancelled;
  });

  test("a batch ends when all of it is answered", async () => {
    const { session } = await opened((given) => {
      const batch = given.message as unknown;
      if (!Array.isArray(batch)) return pass();
      const stream = openStream();
      stream.write(`data: ${JSON.stringify([result({ message: { id: "a" } })])}\n\n`);
      stream.end();
      return stream.response;
    });
    const batch = [request("ping", {}, "a"), notification("notifications/x"), request("tools/call", {}, "b")];
    const messages = await readMessages(await session.post(batch as never)).rest();
    expect(messages).toEqual([[result({ message: { id: "a" } })], interrupted("b", "no event id")]);
  });
});

describe("pace", () => {
  /** A call that is dropped at once; `get` answers the attempts to resume it. */
  async function dropped(first: string, get: Answer, options: RecoveringFetchOptions): Promise<Script> {
    vi.useFakeTimers();
    const { script, session } = await opened((given) => {
      if (given.method === "GET") return get(given);
      if (given.message?.method !== "tools/call") return pass();
      const stream = openStream();
      stream.write(first);
      stream.end();
      return stream.response;
    }, options);
    const response = await session.call("tools/call");
    void readMessages(response).rest();
    await vi.advanceTimersByTimeAsync(0);
    return script;
  }
  const refuse: Answer = () => {
    throw new TypeError("fetch failed");
  };

  test("the server's retry is waited for, to the end", async () => {
    const retry = { ...QUICK, jitter: 0 };
    const script = await dropped("id: 1\nretry: 40000\ndata: \n\n", refuse, { retry });
    await vi.advanceTimersByTimeAsync(39_999);
    expect(script.of("GET")).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(script.of("GET")).toHaveLength(1);
  });

  test("and is the least of the waits that follow", async () => {
    const retry = { initialDelayMs: 1000, factor: 2, maxDelayMs: 30_000, jitter: 0 };
    const script = await dropped("id: 1\nretry: 3000\ndata: \n\n", refuse, { retry });
    for (const [index, ms] of [3000, 3000, 4000, 8000, 16_000].entries()) {
      await vi.advanceTimersByTimeAsync(ms - 1);
      expect(script.of("GET")).toHaveLength(index);
      await vi.advanceTimersByTimeAsync(1);
      expect(script.of("GET")).toHaveLength(index + 1);
    }
  });

  test("one that is longer than any timer is not cut short", async () => {
    const script = await dropped("id: 1\nretry: 99999999999\ndata: \n\n", refuse, {});
    await vi.advanceTimersByTimeAsync(86_400_000);
    expect(script.of("GET")).toHaveLength(0);
  });

  test("without it: 1, 2, 4 s, then an error after 3", async () => {
    const retry = { attempts: 3, initialDelayMs: 1000, factor: 2, maxDelayMs: 30_000, jitter: 0 };
    const script = await dropped(PRIMING, refuse, { retry });
    for (const [ms, attempts] of [
      [999, 0],
      [1, 1],
      [1999, 1],
      [1, 2],
      [3999, 2],
      [1, 3],
      [60_000, 3],
    ] as const) {
      await vi.advanceTimersByTimeAsync(ms);
      expect(script.of("GET")).toHaveLength(attempts);
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    ["attempts", { attempts: 1 }, [1000]],
    ["initialDelayMs", { initialDelayMs: 10 }, [10, 20, 40, 80, 160]],
    ["factor", { factor: 3 }, [1000, 3000, 9000, 27_000, 30_000]],
    ["maxDelayMs", { maxDelayMs: 3000 }, [1000, 2000, 3000, 3000, 3000]],
    ["nothing", {}, [1000, 2000, 4000, 8000, 16_000]],
  ])("%s given: waits as documented", async (_, given, waits) => {
    const script = await dropped(PRIMING, refuse, { retry: { jitter: 0, ...given } });
    for (const [index, ms] of waits.entries()) {
      await vi.advanceTimersByTimeAsync(ms - 1);
      expect(script.of("GET")).toHaveLength(index);
      await vi.advanceTimersByTimeAsync(1);
      expect(script.of("GET")).toHaveLength(index + 1);
    }
    await vi.advanceTimersByTimeAsync(600_000);
    expect(script.of("GET")).toHaveLength(waits.length);
  });

  test("chance makes a wait longer by up to the jitter, never shorter", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const script = await dropped(PRIMING, refuse, { retry: { jitter: 1 } });
    await vi.advanceTimersByTimeAsync(1499);
    expect(script.of("GET")).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(script.of("GET")).toHaveLength(1);
    vi.mocked(Math.random).mockRestore();
  });
});

describe("the standalone stream", () => {
  const streaming =
    (streams: ScriptStream[], more: Answer = pass): Answer =>
    async (given) => {
      const special = await more(given);
      if (special.status !== 501) return special;
      if (given.message?.method === "tools/list") return reply(given.message, {});
      if (given.method !== "GET") return pass();
      const stream = openStream(given.signal);
      streams.push(stream);
      return stream.response;
    };

  test("goes on after each drop with the last event id", async () => {
    const streams: ScriptStream[] = [];
    const { script, session, events } = await opened(streaming(streams));
    const messages = readMessages(await session.get());
    streams[0]?.send(log(1), "s-1");
    streams[0]?.end();
    expect(await messages.next()).toEqual(log(1));
    const next = messages.next();
    await script.nth("GET", 2);
    streams[1]?.fail();
    await script.nth("GET", 3);
    streams[2]?.send(log(2), "s-2");
    expect(await next).toEqual(log(2));
    expect(script.of("GET").map(({ headers }) => headers.get("last-event-id"))).toEqual([null, "s-1", "s-1"]);
    expect(events.all.map(({ type }) => type)).toEqual(["dropped", "resumed", "dropped", "resumed"]);
    expect(events.of("dropped").map(({ cause }) => cause)).toEqual([undefined, new TypeError("terminated")]);
  });

  test("an id that comes without data counts", async () => {
    const streams: ScriptStream[] = [];
    const { script, session } = await opened(streaming(streams));
    void readMessages(await session.get()).rest();
    streams[0]?.write("id: silent\n\n");
    streams[0]?.end();
    expect((await script.nth("GET", 2)).headers.get("last-event-id")).toBe("silent");
  });

  test.each([
    ["the connection fails", () => Promise.reject(new TypeError("fetch failed"))],
    ["the server is busy", () => new Response(null, { status: 503 })],
    ["an old connection is in the way", () => new Response(null, { status: 409 })],
  ])("is there in the end, when %s at first", async (_, first) => {
    const streams: ScriptStream[] = [];
    const { script, session } = await opened(
      streaming(streams, (given) => (given.method === "GET" && given.n === 1 ? first() : pass())),
    );
    const messages = readMessages(await session.get());
    const next = messages.next();
    await script.nth("GET", 2);
    streams[0]?.send(log("at last"));
    expect(await next).toEqual(log("at last"));
  });

  test("having used up its attempts it waits, without a timer, until a request succeeds", async () => {
    const streams: ScriptStream[] = [];
    let up = true;
    const { script, session, events } = await opened(
      streaming(streams, (given) => {
        if (given.method === "GET" && !up) throw new TypeError("fetch failed");
        return pass();
      }),
    );
    const messages = readMessages(await session.get());
    const next = messages.next();
    up = false;
    streams[0]?.fail();
    await events.nth("parked");
    expect(script.of("GET")).toHaveLength(1 + QUICK.attempts);
    // A sign of life while the stream still cannot be had: one attempt more, and it waits again.
    await session.call("tools/list");
    await events.nth("parked", 2);
    expect(script.of("GET")).toHaveLength(2 + QUICK.attempts);
    up = true;
    await session.call("tools/list");
    await script.nth("GET", 3 + QUICK.attempts);
    streams[1]?.send(log("back"));
    expect(await next).toEqual(log("back"));
  });

  /** Connections that bring a comment, last this long by the clock, and end. */
  const lasting = (ms: number): ReturnType<typeof opened> => {
    vi.useFakeTimers({ toFake: ["performance"] });
    return opened((given) => {
      if (given.method !== "GET") return pass();
      const bytes = new TextEncoder().encode(": nothing\n\n");
      let isRead = false;
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            if (!isRead) controller.enqueue(bytes);
            else {
              vi.advanceTimersByTime(ms);
              controller.close();
            }
            isRead = true;
          },
        },
        { highWaterMark: 0 },
      );
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    });
  };

  test.each([0, 5, 9999])(
    "connections that bring nothing in %i ms count as failures: no server is asked for ever",
    async (ms) => {
      const { script, session, events } = await lasting(ms);
      void readMessages(await session.get()).rest();
      await events.nth("parked");
      expect(script.of("GET")).toHaveLength(1 + QUICK.attempts);
    },
  );

  test("connections that were idle for long do not: whatever cuts them, the stream stays", async () => {
    const { script, session, events } = await lasting(10_001);
    const leaving = new AbortController();
    const rest = readMessages(await session.get({}, leaving.signal)).rest();
    await script.nth("GET", 5 * QUICK.attempts);
    leaving.abort(new Error("enough"));
    await expect(rest).rejects.toThrow("enough");
    expect(events.of("parked")).toEqual([]);
  });

  test("what the server no longer holds is said, and the stream goes on without it", async () => {
    const streams: ScriptStream[] = [];
    const { script, session, events } = await opened(
      streaming(streams, (given) =>
        given.headers.get("last-event-id") === "old" ? new Response(null, { status: 400 }) : pass(),
      ),
    );
    const messages = readMessages(await session.get());
    streams[0]?.send(log(1), "old");
    streams[0]?.end();
    await messages.next();
    const next = messages.next();
    await script.nth("GET", 3);
    streams[1]?.send(log(9));
    expect(await next).toEqual(log(9));
    expect(events.of("gap")).toEqual([{ type: "gap", stream: "standalone", eventId: "old" }]);
  });

  test("finds by itself that the session is lost, and goes on in the new one without the old event id", async () => {
    const streams: ScriptStream[] = [];
    const { script, session, events } = await opened(streaming(streams));
    const messages = readMessages(await session.get());
    streams[0]?.send(log(1), "dead-1");
    await messages.next();
    const next = messages.next();
    script.sessions.clear();
    streams[0]?.fail();
    await events.nth("resumed");
    streams[1]?.send(log(2));
    expect(await next).toEqual(log(2));
    const [, asked, fresh] = script.of("GET");
    expect(asked?.headers.get("last-event-id")).toBe("dead-1");
    expect([fresh?.headers.get("last-event-id"), fresh?.headers.get("mcp-session-id")]).toEqual([
      null,
      "session-2",
    ]);
    expect(script.of("initialize")).toHaveLength(2);
  });

  test("is moved to the new session, though its connection to the dead one is open", async () => {
    const streams: ScriptStream[] = [];
    const { script, session, events } = await opened(streaming(streams));
    const messages = readMessages(await session.get());
    streams[0]?.send(log(1), "dead-1");
    await messages.next();
    const next = messages.next();
    script.sessions.clear();
    await session.call("tools/list");
    await events.nth("resumed");
    await streams[0]?.cancelled;
    streams[1]?.send(log(2));
    expect(await next).toEqual(log(2));
    expect(script.of("GET")[1]?.headers.get("last-event-id")).toBeNull();
  });

  /** A session that is lost, and whose opening anew is held until `proceed`. */
  async function recovering(answer: Answer): Promise<{
    readonly given: Awaited<ReturnType<typeof opened>>;
    lose(): Promise<{ readonly call: Promise<Response> }>;
    proceed(): void;
  }> {
    let proceed = (): void => undefined;
    const held = new Promise<void>((resolve) => (proceed = resolve));
    const given = await opened(async (asked) => {
      if (asked.message?.method !== "initialize") return answer(asked);
      if (asked.n > 1) await held;
      return pass();
    });
    const { script, session } = given;
    return {
      given,
      proceed,
      async lose() {
        script.sessions.clear();
        const call = session.call("tools/list");
        await script.nth("initialize", 2);
        return { call };
      },
    };
  }

  test("asked for while the session is being opened anew, is asked for once, without the dead one's event id", async () => {
    const streams: ScriptStream[] = [];
    const { given, lose, proceed } = await recovering(streaming(streams));
    const { script, session } = given;
    await lose();
    const opening = session.get({ "last-event-id": "dead-1" });
    proceed();
    const messages = readMessages(await opening);
    const next = messages.next();
    await script.nth("GET", 1);
    streams[0]?.send(log(1));
    expect(await next).toEqual(log(1));
    expect(script.of("GET").map(({ headers }) => headers.get("last-event-id"))).toEqual([null]);
    expect(script.of("GET")[0]?.headers.get("mcp-session-id")).toBe("session-2");
  });

  test("dropped while the session is being opened anew, goes on in the new one, whose questions it brings", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const streams: ScriptStream[] = [];
    const { given, lose, proceed } = await recovering(streaming(streams));
    const { script, session, events } = given;
    const messages = readMessages(await session.get());
    streams[0]?.send(log(1), "dead-1");
    await messages.next();
    const next = messages.next();
    const { call } = await lose();
    streams[0]?.fail();
    await events.nth("dropped");
    // Its first attempt is due before there is a session to make it in.
    await vi.advanceTimersByTimeAsync(QUICK.initialDelayMs);
    proceed();
    await call;
    await script.nth("GET", 2);
    streams[1]?.send({ jsonrpc: "2.0", id: 7, method: "roots/list" });
    const { id } = await next;
    await session.post({ jsonrpc: "2.0", id: id as string, result: { roots: [] } });
    expect(script.sent.at(-1)?.message).toEqual({ jsonrpc: "2.0", id: 7, result: { roots: [] } });
    expect(script.of("GET").map(({ headers }) => headers.get("last-event-id"))).toEqual([null, null]);
  });

  test("whose every GET meets a 404 in sessions that work otherwise: they are not opened in a row", async () => {
    const { script, session, events } = await opened((given) => {
      const { method, message, headers } = given;
      // A stranger's instance answers GET, and the ping that follows it.
      const isAstray = method === "GET" ? given.n > 1 : message?.method === "ping" && given.n % 2 === 1;
      if (isAstray) return new Response(headers.get("mcp-session-id"), { status: 404 });
      if (method !== "GET") return pass();
      const stream = openStream();
      stream.end();
      return stream.response;
    });
    void readMessages(await session.get()).rest();
    await events.nth("parked");
    expect(script.of("initialize").length).toBeLessThanOrEqual(1 + QUICK.attempts);
  });

  test("an event id of the dead session, sent by the client itself, is not passed on", async () => {
    const streams: ScriptStream[] = [];
    const { script, session } = await opened(streaming(streams));
    script.sessions.clear();
    const messages = readMessages(await session.get({ "last-event-id": "dead-1" }));
    const next = messages.next();
    await script.nth("GET", 2);
    streams[0]?.send(log(1));
    expect(await next).toEqual(log(1));
    const fresh = script.of("GET")[1];
    expect([fresh?.headers.get("last-event-id"), fresh?.headers.get("mcp-session-id")]).toEqual([
      null,
      "session-2",
    ]);
  });

  test.each(SDKS)("$name: a 401 on the way back is left to the client's own transport", async (sdk) => {
    const streams: ScriptStream[] = [];
    let token = "good";
    const script = createScript(
      streaming(streams, ({ method, headers }) =>
        method === "GET" && headers.get("authorization") !== token
          ? new Response(null, { status: 401 })
          : pass(),
      ),
    );
    const recovering = recoveringFetch({ fetch: script.fetch, retry: QUICK });
    // What stands for a provider of credentials: each request of the client's gets those of the moment.
    const client = await sdk.connect(URL_OF_SCRIPT, (input, init) => {
      const headers = new Headers(init?.headers);
      headers.set("authorization", token);
      return recovering(input, { ...init, headers });
    });
    await script.nth("GET", 1);
    token = "better";
    streams[0]?.fail();
    // Ours, with the credentials of the last POST; then the client's.
    const [, ours, theirs] = [
      await script.nth("GET", 1),
      await script.nth("GET", 2),
      await script.nth("GET", 3),
    ];
    expect([ours.headers.get("authorization"), theirs.headers.get("authorization")]).toEqual([
      "good",
      "better",
    ]);
    streams[1]?.send(log("again"));
    await vi.waitFor(() => expect(client.notifications).toHaveLength(1));
    await client.close();
  });

  test("ends when the client ends the session, and does not bring it back", async () => {
    const streams: ScriptStream[] = [];
    const { script, session, events } = await opened(
      streaming(streams, (given) => {
        if (given.method !== "DELETE") return pass();
        // As servers do: the streams end before the answer comes.
        script.sessions.clear();
        streams[0]?.end();
        return new Response(null, { status: 200 });
      }),
    );
    const messages = readMessages(await session.get());
    const rest = messages.rest();
    await session.delete();
    expect(await rest).toEqual([]);
    expect(script.of("GET")).toHaveLength(1);
    expect(script.of("initialize")).toHaveLength(1);
    expect(events.all).toEqual([]);
  });
});

describe("a client that leaves", () => {
  test.each(SDKS)("$name: close ends every connection, wait and timer", async (sdk) => {
    vi.useFakeTimers();
    const streams: ScriptStream[] = [];
    const script = createScript((given) => {
      if (given.method !== "GET" && given.message?.method !== "tools/call") return pass();
      if (given.headers.has("last-event-id")) return Promise.reject(new TypeError("fetch failed"));
      const stream = openStream(given.signal);
      stream.write(PRIMING);
      streams.push(stream);
      return stream.response;
    });
    const client = await sdk.connect(URL_OF_SCRIPT, recoveringFetch({ fetch: script.fetch }));
    await vi.advanceTimersByTimeAsync(0);
    const call = client.call("echo").catch(String);
    await vi.advanceTimersByTimeAsync(0);
    // The standalone stream stays open; the call's waits for its next attempt.
    expect(streams).toHaveLength(2);
    streams[1]?.end();
    await vi.advanceTimersByTimeAsync(10);
    const before = script.sent.length;
    await client.close();
    expect(await call).toContain("Connection closed");
    await streams[0]?.cancelled;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(script.sent).toHaveLength(before);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a body that is let go of lets go of its connection", async () => {
    const streams: ScriptStream[] = [];
    const { script, session } = await opened((given) => {
      if (given.method !== "GET") return pass();
      const stream = openStream();
      streams.push(stream);
      return stream.response;
    });
    const response = await session.get();
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    streams[0]?.send(log(1), "1");
    await reader.read();
    await reader.cancel();
    await streams[0]?.cancelled;
    expect(script.of("GET")).toHaveLength(1);
  });

  test("a signal that aborts while a resume is under way ends it", async () => {
    const { script, session } = await opened((given) => {
      if (given.method !== "GET") return pass();
      if (given.n > 1) return new Promise(() => undefined);
      const stream = openStream();
      stream.end();
      return stream.response;
    });
    const leaving = new AbortController();
    const rest = readMessages(await session.get({}, leaving.signal)).rest();
    const second = await script.nth("GET", 2);
    leaving.abort(new Error("closed"));
    await expect(rest).rejects.toThrow("closed");
    expect(second.signal?.aborted).toBe(true);
  });
});

describe("what is none of its business", () => {
  test("a JSON answer is handed on as it is", async () => {
    const answer = Response.json({ jsonrpc: "2.0", id: 1, result: {} });
    const { session } = await opened((given) => (given.message?.method === "tools/call" ? answer : pass()));
    expect(await session.call("tools/call")).toBe(answer);
  });

  test("a subscription of the stateless era ends as it ends: its client listens anew", async () => {
    const script = createScript(() => openStream().response);
    const fetch = recoveringFetch({ fetch: script.fetch });
    const body = JSON.stringify(request("subscriptions/listen", { notifications: {} }));
    const given = openStream();
    script.answer = () => given.response;
    expect(await fetch(URL_OF_SCRIPT, { method: "POST", body })).toBe(given.response);
  });

  test("a call of the stateless era gets an error, too, when its stream ends before the answer", async () => {
    const script = createScript(() => {
      const stream = openStream();
      stream.send(log(1));
      stream.end();
      return stream.response;
    });
    const fetch = recoveringFetch({ fetch: script.fetch });
    const call = request("tools/call");
    const headers = { "mcp-protocol-version": "2026-07-28" };
    const response = await fetch(URL_OF_SCRIPT, { method: "POST", headers, body: JSON.stringify(call) });
    expect(await readMessages(response).rest()).toEqual([log(1), interrupted(call.id, "no event id")]);
    expect(script.sent).toHaveLength(1);
  });

  test("the GET of HTTP+SSE is its EventSource's", async () => {
    const given = openStream();
    const script = createScript(() => given.response);
    const fetch = recoveringFetch({ fetch: script.fetch });
    expect(await fetch(URL_OF_SCRIPT, { headers: { accept: "text/event-stream" } })).toBe(given.response);
  });
});
