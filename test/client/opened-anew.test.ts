/** How a session is opened, and how it is opened anew: once for all who wait, as its client opened it. */
import { describe, expect, test, vi } from "vitest";
import { recoveringFetch } from "../../src/client/index.ts";
import { initialize, notification, request } from "../support/messages.ts";
import { named, opened, sessionOf } from "./support/named-session.ts";
import { openRawSession, URL_OF_SCRIPT } from "./support/raw-session.ts";
import { createScript, openStream, pass, reply } from "./support/script.ts";

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
