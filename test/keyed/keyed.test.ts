/** Sessions that are found by a key, for clients that keep no session id. */
import { describe, expect, test } from "vitest";
import { hosts, mortal } from "../support/hosts.ts";
import { answerOf, openSession, post } from "../support/mcp.ts";
import { initialize, type Message, notification, request, textOf, toolCall } from "../support/messages.ts";
import { SHORT_LIVED } from "../support/gone.ts";
import { readEvents } from "../support/sse.ts";
import { eventually } from "../support/wait.ts";

/** A client that keeps no session id. */
function clientOf(url: () => string, headers: Record<string, string>) {
  const send = (message: unknown): Promise<Response> => post(`${url()}/mcp`, message, headers);
  return {
    send,
    /** Calls a tool, as ChatGPT does from a conversation. */
    async call(name: string, args: Record<string, unknown> = {}, conversation?: string): Promise<Message> {
      const message = toolCall(name, args);
      const meta = conversation === undefined ? {} : { _meta: { "openai/session": conversation } };
      return answerOf(await send({ ...message, params: { ...message.params, ...meta } }));
    },
  };
}

describe.each(hosts)("on $name, by conversation", (host) => {
  const server = mortal(host, { TEST_AUTH: "on", TEST_SESSION_KEY: "conversation" });
  const ann = clientOf(() => server.url, { Authorization: "Bearer ann:1" });
  const bob = clientOf(() => server.url, { Authorization: "Bearer bob:1" });
  const created = (): number => server.events().filter(({ type }) => type === "session.created").length;

  test("a conversation is one session: it counts on through a SIGKILL", async () => {
    const before = created();
    expect(textOf(await ann.call("counter", { by: 1 }, "talk"))).toBe("1");
    expect(textOf(await ann.call("counter", { by: 1 }, "talk"))).toBe("2");
    await server.kill();
    await server.restart();
    expect(textOf(await ann.call("counter", { by: 1 }, "talk"))).toBe("3");
    expect(created() - before).toBeLessThanOrEqual(1);
  });

  test("calls that begin it at once begin it once", async () => {
    const counted = await Promise.all([1, 2, 3, 4, 5].map(() => ann.call("counter", { by: 1 }, "at once")));
    expect(counted.map(textOf).toSorted()).toEqual(["1", "2", "3", "4", "5"]);
  });

  test("another principal with the same key has its own, and another conversation too", async () => {
    await ann.call("counter", { by: 7 }, "ours");
    expect(textOf(await bob.call("counter", { by: 1 }, "ours"))).toBe("1");
    expect(textOf(await ann.call("counter", { by: 1 }, "another"))).toBe("1");
    expect(textOf(await ann.call("counter", { by: 1 }, "ours"))).toBe("8");
  });

  test("a call without a key is served for itself", async () => {
    const before = created();
    expect((await ann.call("counter", { by: 1 })).result?.["isError"]).toBe(true);
    expect(created()).toBe(before);
  });

  test("a batch is of one conversation, whichever of its messages says so", async () => {
    const counting = (id: number, conversation?: string): Message => {
      const message = toolCall("counter", { by: 1 }, { id });
      const meta = conversation === undefined ? {} : { _meta: { "openai/session": conversation } };
      return { ...message, params: { ...message.params, ...meta } };
    };
    const torn = await ann.send([counting(1, "left"), counting(2, "right")]);
    expect(torn.status).toBe(400);
    expect(await torn.json()).toMatchObject({ error: { code: -32600 } });
    // An answer belongs where it was asked for.
    const { id } = await openSession(server.url, { headers: { Authorization: "Bearer ann:1" } });
    const answer = { jsonrpc: "2.0", id: `${id}~1`, result: {} };
    for (const batch of [
      [answer, counting(1, "left")],
      [counting(1, "left"), answer],
      [answer, { ...answer, id: "another~1" }],
    ]) {
      expect((await ann.send(batch)).status).toBe(400);
    }
    const whole = await ann.send([request("ping"), counting(1), counting(2, "left")]);
    expect(((await whole.json()) as Message[]).slice(1).map(textOf)).toEqual(["1", "2"]);
    expect(textOf(await ann.call("counter", { by: 1 }, "right"))).toBe("1");
  });

  test("a key that is no text of a sensible length is refused", async () => {
    for (const key of ["x".repeat(1025), "half \ud800"]) {
      const answer = await ann.call("counter", { by: 1 }, key);
      expect(answer.error).toMatchObject({ code: -32600 });
    }
  });

  test("an answer of the client's finds its question without a key", async () => {
    const capable = request("initialize", {
      ...initialize().params,
      capabilities: { elicitation: {} },
      _meta: { "openai/session": "asked" },
    });
    expect((await answerOf(await ann.send(capable))).result).toBeDefined();
    const call = toolCall("ask", { message: "Well?" });
    const stream = readEvents(
      await ann.send({ ...call, params: { ...call.params, _meta: { "openai/session": "asked" } } }),
    );
    const question = await stream.message(({ method }) => method === "elicitation/create");
    const answer = {
      jsonrpc: "2.0",
      id: question.id,
      result: { action: "accept", content: { answer: "yes" } },
    };
    expect((await bob.send(answer)).status).not.toBe(500);
    expect((await ann.send(answer)).status).toBe(202);
    const [result] = await stream.rest();
    expect(textOf(result as Message)).toBe('{"action":"accept","answer":"yes"}');
  });
});

describe.each(hosts)("on $name, an answer", (host) => {
  const server = mortal(host, { TEST_AUTH: "on", TEST_SESSION_KEY: "conversation" });

  test("to the question of a session that is gone begins none in its place", async () => {
    const headers = { Authorization: "Bearer ann:1" };
    const gone = await openSession(server.url, { headers });
    expect((await gone.fetch("DELETE")).status).toBe(204);
    const before = server.events().filter(({ type }) => type === "session.created").length;
    const answered = await clientOf(() => server.url, headers).send({
      jsonrpc: "2.0",
      id: `${gone.id}~1`,
      result: {},
    });
    expect([202, 404]).toContain(answered.status);
    expect((await gone.post(request("ping"))).status).toBe(404);
    expect(server.events().filter(({ type }) => type === "session.created")).toHaveLength(before);
  });
});

describe.each(hosts)("on $name, whose time is up, with rotate", (host) => {
  const server = mortal(host, {
    ...SHORT_LIVED,
    TEST_AUTH: "on",
    TEST_SESSION_KEY: "conversation",
    HOLDFAST_RECOVERY: "rotate",
  });
  const ann = clientOf(() => server.url, { Authorization: "Bearer ann:1" });
  const ended = (): number => server.events().filter(({ type }) => type === "session.expired").length;

  test("a conversation begins anew under its key: no successor can be named to a client without an id", async () => {
    expect(textOf(await ann.call("counter", { by: 3 }, "called"))).toBe("3");
    expect(textOf(await ann.call("counter", { by: 3 }, "introduced"))).toBe("3");
    await eventually(() => expect(ended()).toBe(2));
    expect(textOf(await ann.call("counter", { by: 1 }, "called"))).toBe("1");
    const { params } = initialize();
    const opened = await ann.send(
      request("initialize", { ...params, _meta: { "openai/session": "introduced" } }),
    );
    expect(opened.status).toBe(200);
    expect((await answerOf(opened)).result).toHaveProperty("serverInfo");
    expect(textOf(await ann.call("counter", { by: 1 }, "introduced"))).toBe("1");
  });
});

describe.each(hosts)("on $name, by principal", (host) => {
  const server = mortal(host, { TEST_AUTH: "on", TEST_SESSION_KEY: "principal" });

  test("who introduces himself anew keeps his state, and is known by his new name", async () => {
    const client = clientOf(() => server.url, { Authorization: "Bearer cleo:1" });
    for (const [n, name] of ["first", "second"].entries()) {
      const { params } = initialize();
      const opened = await client.send(
        request("initialize", { ...params, clientInfo: { name, version: "1" } }),
      );
      expect(opened.status).toBe(200);
      expect(opened.headers.get("mcp-session-id")).toBeNull();
      expect((await answerOf(opened)).result).toHaveProperty("serverInfo");
      expect((await client.send(notification("notifications/initialized"))).status).toBe(202);
      expect(textOf(await client.call("counter", { by: 1 }))).toBe(String(n + 1));
      const whoami = JSON.parse(textOf(await client.call("whoami")) ?? "");
      expect(whoami).toMatchObject({ clientInfo: { name } });
    }
    await server.kill();
    await server.restart();
    const whoami = JSON.parse(textOf(await client.call("whoami")) ?? "");
    expect(whoami).toMatchObject({ clientInfo: { name: "second" }, principal: "cleo" });
  });

  test("a GET without an id opens its standalone stream", async () => {
    const headers = { Authorization: "Bearer dave:1" };
    const client = clientOf(() => server.url, headers);
    const stream = readEvents(
      await fetch(`${server.url}/mcp`, { headers: { ...headers, Accept: "text/event-stream" } }),
    );
    await client.call("emit", { count: 1, on: "standalone" });
    expect(await stream.message()).toMatchObject({ method: "notifications/message" });
    stream.leave();
  });
});

describe.each(hosts)("on $name, without a principal", (host) => {
  const server = mortal(host, { TEST_SESSION_KEY: "conversation" });

  test("the key is a stranger's claim, and is not used", async () => {
    const client = clientOf(() => server.url, {});
    expect((await client.call("counter", { by: 1 }, "talk")).result?.["isError"]).toBe(true);
    expect(server.events().map(({ type }) => type)).not.toContain("session.created");
  });
});
