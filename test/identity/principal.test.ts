/** A session belongs to the subject that opened it (B3, R-10), whatever the token of the day. */
import { describe, expect, test } from "vitest";
import { expectNotFound } from "../support/gone.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { resumable } from "../support/interrupted.ts";
import { initialize, request, textOf, toolCall } from "../support/messages.ts";
import { ACCEPT_BOTH, answerOf, type McpSession, openSession, post } from "../support/mcp.ts";
import { type EventStream, readEvents } from "../support/sse.ts";

const LIST = request("tools/list");

/** Who calls, with which token. `whoami` shows the first eight characters of the whole. */
const as = (subject: "amy" | "bob", token: string): { Authorization: string } => ({
  Authorization: `Bearer ${subject}:${token}`,
});

async function whoami(session: McpSession, headers = {}): Promise<Record<string, unknown>> {
  const answer = await answerOf(await session.post(toolCall("whoami"), headers));
  return JSON.parse(textOf(answer) ?? "") as Record<string, unknown>;
}

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, { TEST_AUTH: "on" });
  const amys = (): Promise<McpSession> => openSession(server.url, { headers: as("amy", "0001") });

  test("the same subject is served with a fresh token, which tools see on that very call", async () => {
    const session = await amys();
    expect(await whoami(session)).toMatchObject({ principal: "amy", authInfo: { token8: "amy:0001" } });
    expect(await whoami(session, as("amy", "0002"))).toMatchObject({
      principal: "amy",
      authInfo: { token8: "amy:0002" },
    });
    await server.kill();
    await server.restart();
    // The call that rehydrates, and the next.
    expect(await whoami(session, as("amy", "0003"))).toMatchObject({
      principal: "amy",
      authInfo: { token8: "amy:0003" },
    });
    expect(await whoami(session, as("amy", "0004"))).toMatchObject({ authInfo: { token8: "amy:0004" } });
  });

  test("two calls at once with two tokens each see their own", async () => {
    const session = await amys();
    const tokens = Array.from({ length: 10 }, (_, n) => `t-0${n}`);
    const seen = await Promise.all(tokens.map((token) => whoami(session, as("amy", token))));
    expect(seen.map(({ authInfo }) => authInfo)).toEqual(
      tokens.map((token) => ({ clientId: "amy", token8: `amy:${token}` })),
    );
  });

  test.each(["before", "after"])("another subject finds nothing, %s a restart", async (when) => {
    const session = await amys();
    const stream = await session.get();
    const cursor = await resumable(stream);
    await session.tool("counter", { by: 1 });
    if (when === "after") {
      await server.kill();
      await server.restart();
    }
    const bob = as("bob", "0001");
    const counter = toolCall("counter", { by: 10 });
    expect(await expectNotFound(await session.post(counter, bob))).toBeNull();
    expect(await expectNotFound(await session.fetch("GET", bob))).toBeNull();
    expect(await expectNotFound(await session.fetch("GET", { ...bob, "Last-Event-ID": cursor }))).toBeNull();
    expect(await expectNotFound(await session.fetch("DELETE", bob))).toBeNull();
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } };
    expect(await expectNotFound(await session.post(cancel, bob))).toBeNull();

    // Nothing was run, ended or taken over.
    expect(await session.tool("counter", { by: 0 })).toBe("1");
    if (when === "before") {
      await session.tool("emit", { count: 1, on: "standalone" });
      expect(await stream.message()).toMatchObject({ method: "notifications/message" });
      stream.leave();
    }
  });

  test("another subject's initialize under the id opens a session of its own", async () => {
    const session = await amys();
    const opened = await session.post(initialize(), as("bob", "0001"));
    expect(opened.status).toBe(200);
    const other = opened.headers.get("mcp-session-id");
    expect(other).not.toBe(session.id);
    const bobs = { ...as("bob", "0001"), "Mcp-Session-Id": other ?? "" };
    expect(await whoami(session, bobs)).toMatchObject({ principal: "bob" });
    expect(await expectNotFound(await session.post(LIST, { "Mcp-Session-Id": other ?? "" }))).toBeNull();
    expect(await whoami(session)).toMatchObject({ principal: "amy" });
  });

  test("without credentials every request gets 401, whatever it names", async () => {
    const session = await amys();
    const gone = await amys();
    await gone.fetch("DELETE");
    const none = { Authorization: undefined };
    for (const { id } of [session, gone, { id: "0".repeat(64) }, { id: "not an id" }]) {
      const headers = { ...none, "Mcp-Session-Id": id };
      for (const answer of [
        await session.post(toolCall("counter", { by: 10 }), headers),
        await session.post(initialize(), headers),
        await session.fetch("GET", headers),
        await session.fetch("DELETE", headers),
      ]) {
        expect(answer.status).toBe(401);
        expect(answer.headers.get("www-authenticate")).toBe("Bearer");
        expect(answer.headers.get("mcp-session-id")).toBeNull();
      }
    }
    expect((await post(`${server.url}/mcp`, initialize())).status).toBe(401);
    expect((await fetch(`${server.url}/sse`, { headers: { Accept: ACCEPT_BOTH } })).status).toBe(401);
    expect(await session.tool("counter", { by: 0 })).toBe("0");
  });

  test("over HTTP+SSE too, another subject finds nothing", async () => {
    const connect = async (more: Record<string, string>): Promise<[string, EventStream]> => {
      const headers = { Accept: "text/event-stream", ...more };
      const stream = readEvents(await fetch(`${server.url}/sse`, { headers }));
      expect(await stream.next()).toMatchObject({ type: "retry" });
      const first = await stream.next();
      if (first?.type !== "event") throw new Error("no endpoint");
      return [first.data, stream];
    };
    const [endpoint, stream] = await connect(as("amy", "0001"));
    const say = (message: unknown, headers: Record<string, string>): Promise<Response> =>
      post(server.url + endpoint, message, headers);
    expect(await expectNotFound(await say(toolCall("counter", { by: 10 }), as("bob", "0001")))).toBeNull();
    expect((await say(toolCall("counter", { by: 1 }), {})).status).toBe(401);
    expect((await say(toolCall("counter", { by: 1 }), as("amy", "0002"))).status).toBe(202);
    expect(await stream.message()).toMatchObject({ result: { content: [{ text: "1" }] } });
    // Nor can it take the stream over: it gets a session of its own.
    const [others, theirs] = await connect({
      ...as("bob", "0001"),
      "Last-Event-ID": stream.lastEventId ?? "",
    });
    expect(others).not.toBe(endpoint);
    expect((await say(toolCall("counter", { by: 1 }), as("amy", "0003"))).status).toBe(202);
    expect(await stream.message()).toMatchObject({ result: { content: [{ text: "2" }] } });
    stream.leave();
    theirs.leave();
  });
});
