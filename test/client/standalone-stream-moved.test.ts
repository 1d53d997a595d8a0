/** The standalone stream of a session that is lost goes on in the new one. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { opened, QUICK, streaming } from "./support/lasting-stream.ts";
import { readMessages } from "./support/raw-session.ts";
import { type Answer, openStream, pass, type ScriptStream } from "./support/script.ts";
import { log } from "./support/stream-messages.ts";

afterEach(() => vi.useRealTimers());

describe("the standalone stream", () => {
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
});
