/** The standalone stream goes on across dropped connections, for as long as its client wants it. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { recoveringFetch } from "../../src/client/index.ts";
import { SDKS } from "./support/clients.ts";
import { opened, QUICK, streaming } from "./support/lasting-stream.ts";
import { readMessages, URL_OF_SCRIPT } from "./support/raw-session.ts";
import { createScript, pass, type ScriptStream } from "./support/script.ts";
import { log } from "./support/stream-messages.ts";

afterEach(() => vi.useRealTimers());

describe("the standalone stream", () => {
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
