/** A call whose connection drops goes on where it was, or ends with an error: it is never left hanging. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { recoveringFetch } from "../../src/client/index.ts";
import { notification, request } from "../support/messages.ts";
import { SDKS } from "./support/clients.ts";
import { dropping, opened, QUICK, refuse } from "./support/lasting-stream.ts";
import { readMessages, URL_OF_SCRIPT } from "./support/raw-session.ts";
import { createScript, openStream, pass, reply, type ScriptStream } from "./support/script.ts";
import { interrupted, log, PRIMING, result } from "./support/stream-messages.ts";

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
    const { script, session } = await opened(dropping(PRIMING, refuse));
    const messages = await readMessages(await session.call("tools/call")).rest();
    expect(messages).toEqual([interrupted(script.of("tools/call")[0]?.message?.id, "no connection")]);
    expect(script.of("GET")).toHaveLength(QUICK.attempts);
  });

  test.each([405, 400, 401, 410])("gets an error when the resume meets %i", async (status) => {
    const { script, session } = await opened(dropping(PRIMING, () => new Response(null, { status })));
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
