/** `subscriptions/listen`: the rules of one stream (C23 to C27), in one isolate or process. */
import { describe, expect, test } from "vitest";
import { bun } from "../support/bun.ts";
import { deno } from "../support/deno.ts";
import { hosts } from "../support/hosts.ts";
import { answerOf, openSession } from "../support/mcp.ts";
import type { Message } from "../support/messages.ts";
import { call, listen, modernRequest, postModern, SUBSCRIPTION_ID } from "../support/modern.ts";
import { serve } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

const MAX_LISTENERS = 10;

let lastUri = 0;
/** A resource that no other test uses. */
function freshUri(): string {
  return `test://listen/${++lastUri}`;
}

function idOf({ params }: Message): unknown {
  return (params?.["_meta"] as Record<string, unknown> | undefined)?.[SUBSCRIPTION_ID];
}

describe.each([...hosts, deno, bun])("on $name", (host) => {
  const server = serve(host, {
    HOLDFAST_LOG_LEVEL: "debug",
    // A client that has left is seen when something is written to it.
    HOLDFAST_KEEPALIVE_INTERVAL_MS: "300",
    TEST_MAX_LISTENERS: String(MAX_LISTENERS),
    TEST_TOPIC: "on",
  });

  /** Waits until the edge has seen everyone leave. */
  async function everyoneGone(): Promise<void> {
    const count = (type: string): number => server.events().filter((event) => event.type === type).length;
    await eventually(() => expect(count("connection.closed")).toBe(count("keepalive.start")));
  }

  test.each(["listen:0", "x", 7, 0])(
    "the subscription %j is acknowledged first, under its id as sent",
    async (id) => {
      const uri = freshUri();
      const response = await postModern(
        server.url,
        modernRequest(
          "subscriptions/listen",
          { notifications: { toolsListChanged: true, resourceSubscriptions: [uri] } },
          id,
        ),
      );
      expect(response.status).toBe(200);
      expect(response.headers.get("x-accel-buffering")).toBe("no");
      expect(response.headers.has("mcp-session-id")).toBe(false);
      await response.body?.cancel();

      const stream = await listen(
        server.url,
        { toolsListChanged: true, resourceSubscriptions: [uri] },
        { id },
      );
      expect(stream.honored).toEqual({ toolsListChanged: true, resourceSubscriptions: [uri] });
      await call(server.url, "publish", { uri, to: 2 });
      const messages = await stream.messages(2);
      expect(messages.map(({ params }) => params?.["n"])).toEqual([1, 2]);
      for (const message of messages) expect(idOf(message)).toBe(id);
      expect(stream.text).not.toMatch(/^id:/m);
      stream.leave();
    },
  );

  test("only what was asked for comes, and only the resources that were named", async () => {
    const uri = freshUri();
    const stream = await listen(server.url, { promptsListChanged: true, resourceSubscriptions: [uri] });
    await call(server.url, "test_trigger_tool_change");
    await call(server.url, "publish", { uri: `${uri}/other`, to: 1 });
    await call(server.url, "test_trigger_prompt_change");
    await call(server.url, "touch", { uri });
    const messages = await stream.messages(2);
    expect(messages.map(({ method }) => method)).toEqual([
      "notifications/prompts/list_changed",
      "notifications/resources/updated",
    ]);
    expect(messages[1]?.params).toMatchObject({ uri });
    stream.leave();
  });

  test("several streams of one client are independent; a call's own messages take none of them (C25)", async () => {
    const uri = freshUri();
    const tools = await listen(server.url, { toolsListChanged: true }, { id: "tools" });
    const both = await listen(
      server.url,
      { toolsListChanged: true, resourceSubscriptions: [uri] },
      { id: "both" },
    );
    await call(server.url, "emit", { count: 3 });
    await call(server.url, "publish", { uri, to: 1 });
    await call(server.url, "test_trigger_tool_change");
    expect((await both.messages(2)).map(({ method }) => method)).toEqual([
      "notifications/resources/updated",
      "notifications/tools/list_changed",
    ]);
    expect(await tools.message()).toMatchObject({ method: "notifications/tools/list_changed" });
    both.leave();
    await call(server.url, "test_trigger_tool_change");
    expect(idOf(await tools.message())).toBe("tools");
    tools.leave();
  });

  test("a filter that grants nothing ends at once, with its result", async () => {
    const stream = await listen(server.url, {});
    expect(stream.honored).toEqual({});
    const [result, ...more] = await stream.rest();
    expect(result).toMatchObject({ id: "listen:0", result: { resultType: "complete" } });
    expect(more).toEqual([]);
  });

  test("a request without a filter is refused in its stream's place", async () => {
    const answer = await answerOf(await postModern(server.url, modernRequest("subscriptions/listen")));
    expect(answer.error).toMatchObject({ code: -32602 });
  });

  test("streams over the limit are refused before they are acknowledged; one that leaves makes room", async () => {
    await everyoneGone();
    const streams = [];
    for (let n = 0; n < MAX_LISTENERS; n++)
      streams.push(await listen(server.url, { toolsListChanged: true }));
    const over = modernRequest("subscriptions/listen", { notifications: { toolsListChanged: true } }, "over");
    const refused = await postModern(server.url, over);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ id: "over", error: { code: -32000 } });
    streams.pop()?.leave();
    const again = await eventually(() => listen(server.url, { toolsListChanged: true }));
    for (const stream of [...streams, again]) stream.leave();
    await everyoneGone();
  });

  test("a topic hears nothing of another", async () => {
    const uri = freshUri();
    const [a, b] = ["a", "b"].map((topic) => ({ "x-topic": topic }));
    const heard = await listen(server.url, { resourceSubscriptions: [uri] }, { headers: a });
    const other = await listen(server.url, { resourceSubscriptions: [uri] }, { headers: b });
    await call(server.url, "publish", { uri, to: 1 }, a);
    expect((await heard.message()).params).toMatchObject({ n: 1 });
    await call(server.url, "publish", { uri, from: 2, to: 2 }, b);
    expect((await other.message()).params).toMatchObject({ n: 2 });
    heard.leave();
    other.leave();
  });

  describe("a session", () => {
    test("that subscribed to the resource hears of it on its own stream, from a modern call", async () => {
      const uri = freshUri();
      const session = await openSession(server.url);
      const stream = await session.get();
      await session.request({ jsonrpc: "2.0", id: "s", method: "resources/subscribe", params: { uri } });
      await call(server.url, "publish", { uri, to: 3 }, { "x-topic": "" });
      const messages = await stream.messages(3);
      expect(messages.map(({ method, params }) => [method, params?.["n"]])).toEqual(
        [1, 2, 3].map((n) => ["notifications/resources/updated", n]),
      );
      for (const message of messages) expect(message.params).not.toHaveProperty("_meta");
      stream.leave();
    });

    test("that has no stream open finds it when its client comes back", async () => {
      const uri = freshUri();
      const session = await openSession(server.url);
      await session.request({ jsonrpc: "2.0", id: "s", method: "resources/subscribe", params: { uri } });
      await call(server.url, "publish", { uri, to: 3 }, { "x-topic": "" });
      const stream = await session.get();
      expect((await stream.messages(3)).map(({ params }) => params?.["n"])).toEqual([1, 2, 3]);
      stream.leave();
    });

    test("tells those who listen in the modern era, from its own tools", async () => {
      const uri = freshUri();
      const stream = await listen(
        server.url,
        { resourceSubscriptions: [uri] },
        { headers: { "x-topic": "" } },
      );
      const session = await openSession(server.url);
      expect(await session.tool("publish", { uri, to: 2 })).toBe("published");
      expect((await stream.messages(2)).map(({ params }) => params?.["n"])).toEqual([1, 2]);
      stream.leave();
    });
  });
});
