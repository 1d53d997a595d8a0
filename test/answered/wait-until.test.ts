/** `context.waitUntil`: work after the answer, in every era, whether the client stays or not. */
import { describe, expect, test } from "vitest";
import { createMcpRouter } from "../../src/index.ts";
import { localHost } from "../../src/local/index.ts";
import { requestHandler } from "../../src/request/index.ts";
import type { CreateServer } from "../../src/session/server/factory.ts";
import { pause } from "../../worker/example/reply.ts";
import { createTestServer } from "../support/test-server.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { answerOf, openSession, post } from "../support/mcp.ts";
import { initialize, type Message, textOf, toolCall } from "../support/messages.ts";
import { headersFor, modernRequest } from "../support/modern.ts";
import { eventually } from "../support/wait.ts";

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, { TEST_AUTH: "on", TEST_SESSION_KEY: "conversation" });
  const auth = { Authorization: "Bearer ann:1" };

  type Call = (name: string, args: Record<string, unknown>, signal?: AbortSignal) => Promise<Response>;

  /** The ways in which a principal's call comes in. */
  async function waysOf(): Promise<Record<string, Call>> {
    const session = await openSession(server.url, { headers: auth });
    const send = (
      message: Message,
      headers: Record<string, string>,
      signal?: AbortSignal,
    ): Promise<Response> => post(`${server.url}/mcp`, message, { ...auth, ...headers }, signal);
    return {
      session: (name, args, signal) => send(toolCall(name, args), { "Mcp-Session-Id": session.id }, signal),
      request: (name, args, signal) => send(toolCall(name, args), {}, signal),
      keyed(name, args, signal) {
        const call = toolCall(name, args);
        const params = { ...call.params, _meta: { "openai/session": "talk" } };
        return send({ ...call, params }, {}, signal);
      },
      modern(name, args, signal) {
        const call = modernRequest("tools/call", { name, arguments: args });
        return send(call, headersFor(call), signal);
      },
    };
  }

  const tally = async (
    ways: Record<string, Call>,
    args: Record<string, unknown>,
  ): Promise<string | undefined> =>
    textOf(await answerOf((await ways["session"]?.("tally", args)) as Response));
  const seen = (ways: Record<string, Call>, name: string): Promise<void> =>
    eventually(async () => expect(await tally(ways, { name, op: "get" })).toBe("1"));

  test.each(["session", "request", "keyed", "modern"])("%s: is done after the answer", async (way) => {
    const ways = await waysOf();
    const name = `after ${way}`;
    const answer = (await ways[way]?.("later", { name })) as Response;
    expect(textOf(await answerOf(answer))).toBe("answered");
    await tally(ways, { name: `go ${name}` });
    await seen(ways, `done ${name}`);
  });

  test.each(["session", "request", "keyed", "modern"])("%s: is done though the client left", async (way) => {
    const ways = await waysOf();
    const name = `left ${way}`;
    const leaving = new AbortController();
    const called = ways[way]?.("later", { name, hangs: true }, leaving.signal).then((response) =>
      response.text(),
    );
    called?.catch(() => {});
    await seen(ways, `begun ${name}`);
    leaving.abort();
    await expect(called).rejects.toThrow();
    await tally(ways, { name: `go ${name}` });
    await seen(ways, `done ${name}`);
  });

  test.each(["session", "request", "keyed", "modern"])(
    "%s: a rejection is an event, and no more",
    async (way) => {
      const ways = await waysOf();
      const name = `fails ${way}`;
      const answer = (await ways[way]?.("later", { name, fails: true })) as Response;
      expect(textOf(await answerOf(answer))).toBe("answered");
      const event = { type: "hook.error", hook: "waitUntil", message: `failed later: ${name}` };
      await eventually(() => expect(server.events()).toContainEqual(expect.objectContaining(event)));
      expect(await tally(ways, { name: `done ${name}`, op: "get" })).toBe("undefined");
    },
  );
});

describe("in one process", () => {
  /** A server that works for `ms` after each call. */
  function serving(ms: number) {
    const done: string[] = [];
    const createServer: CreateServer = (context) => {
      const server = createTestServer(context);
      server.registerTool("work", {}, () => {
        context.waitUntil(pause(ms).then(() => void done.push("done")));
        return { content: [] };
      });
      return server;
    };
    const host = localHost({ createServer, evictAfterMs: 10 });
    const router = createMcpRouter({ host, requests: requestHandler({ createServer }) });
    const send = (message: Message, headers: Record<string, string> = {}): Promise<Response> =>
      Promise.resolve(
        router.request("http://localhost/mcp", {
          method: "POST",
          headers: {
            "content-type": "application/json",
            accept: "application/json, text/event-stream",
            host: "localhost",
            ...headers,
          },
          body: JSON.stringify(message),
        }),
      );
    return { host, done, send };
  }

  test("`close` waits for it, in a session and without one", async () => {
    const { host, done, send } = serving(200);
    expect((await send(toolCall("work", {}))).status).toBe(200);
    const opened = await send(initialize());
    const id = opened.headers.get("mcp-session-id") ?? "";
    await opened.text();
    expect((await send(toolCall("work", {}), { "mcp-session-id": id })).status).toBe(200);
    expect(done).toEqual([]);
    await host.close();
    expect(done).toEqual(["done", "done"]);
  });

  test("its session stays in memory until it is done", async () => {
    const { host, done, send } = serving(300);
    const opened = await send(initialize());
    const id = opened.headers.get("mcp-session-id") ?? "";
    await opened.text();
    await (await send(toolCall("work", {}), { "mcp-session-id": id })).text();
    while (done.length === 0) {
      expect(host.inMemory).toBe(1);
      await pause(20);
    }
    await eventually(() => expect(host.inMemory).toBe(0));
    await host.close();
  });
});
