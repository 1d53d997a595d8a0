/** What counts as a lost session, and what does not. */
import { describe, expect, test } from "vitest";
import { lostAs400, recoveringFetch } from "../../src/client/index.ts";
import { initialize, notification, request } from "../support/messages.ts";
import { named, opened, sessionOf } from "./support/named-session.ts";
import { URL_OF_SCRIPT } from "./support/raw-session.ts";
import { createScript, pass, reply, type Script } from "./support/script.ts";

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
