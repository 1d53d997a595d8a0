/** Sessions hear what another isolate publishes, and the hub remembers them for as long as they ask for it. */
import { beforeAll, describe, expect, test } from "vitest";
import { inspectHub } from "../support/back-door.ts";
import { openSession } from "../support/mcp.ts";
import { upTo } from "../support/messages.ts";
import { call } from "../support/modern.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd } from "../support/workerd.ts";
import { freshUri, numbers, publish, twoIsolates } from "./two-isolates.ts";

let a: string;
let b: string;
const { server, open } = twoIsolates();
beforeAll(() => {
  [a = "", b = ""] = server.urls;
});

describe("sessions", () => {
  test("that sleep without a stream find it when they come back", async () => {
    const uri = freshUri();
    const session = await openSession(a);
    await session.request({ jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } });
    await publish(b, uri, 1, 3);
    const stream = await session.get();
    expect((await stream.messages(3)).map(({ params }) => params?.["n"])).toEqual(upTo(3));
    stream.leave();
  });

  test("with an open stream hear that a list changed; without one they never ask to", async () => {
    const session = await openSession(a);
    const silent = await openSession(a);
    const stream = await session.get();
    await eventually(async () => {
      const watching = (await inspectHub(a)).tables["watch"]?.map((row) => row["session"]);
      expect(watching).toContain(session.id);
      expect(watching).not.toContain(silent.id);
    });
    await call(b, "test_trigger_tool_change");
    expect(await stream.message()).toMatchObject({ method: "notifications/tools/list_changed" });
    stream.leave();
  });

  test("that unsubscribe hear nothing more, and the hub forgets them", async () => {
    const uri = freshUri();
    const session = await openSession(a);
    const stream = await session.get();
    await session.request({ jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } });
    await publish(b, uri, 1, 1);
    expect((await stream.message()).params).toMatchObject({ n: 1 });
    await session.request({ jsonrpc: "2.0", id: 2, method: "resources/unsubscribe", params: { uri } });
    await publish(b, uri, 2, 2);
    await eventually(async () => {
      const names = (await inspectHub(a)).tables["watch"]?.map((row) => row["name"]);
      expect(names).not.toContain(`resource_updated ${uri}`);
    });
    await call(b, "test_trigger_prompt_change");
    expect(await stream.message()).toMatchObject({ method: "notifications/prompts/list_changed" });
    stream.leave();
  });

  test("that end leave nothing with the hub", async () => {
    const uri = freshUri();
    const session = await openSession(a);
    (await session.get()).leave();
    await session.request({ jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } });
    const watching = async (): Promise<unknown[]> =>
      ((await inspectHub(a)).tables["watch"] ?? []).filter((row) => row["session"] === session.id);
    await eventually(async () => expect(await watching()).toHaveLength(2));
    await session.fetch("DELETE");
    await eventually(async () => expect(await watching()).toEqual([]));
  });

  test("that expire leave nothing with the hub either", async () => {
    const brief = await startWorkerd({
      vars: { HOLDFAST_SESSION_TTL_MS: "1000", HOLDFAST_KEEPALIVE_INTERVAL_MS: "500" },
    });
    try {
      const session = await openSession(brief.url);
      await session.request({
        jsonrpc: "2.0",
        id: 1,
        method: "resources/subscribe",
        params: { uri: freshUri() },
      });
      expect((await inspectHub(brief.url)).tables["watch"]).toHaveLength(1);
      await eventually(async () => expect((await inspectHub(brief.url)).tables["watch"]).toEqual([]));
      await eventually(() => expect(brief.events().map(({ type }) => type)).toContain("session.expired"));
    } finally {
      await brief.close();
    }
  });

  test("that subscribed before the process was killed hear of what is published after it", async () => {
    const uri = freshUri();
    const session = await openSession(a);
    await session.request({ jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } });
    await server.restart();
    const listener = await eventually(() => open(b, uri));
    await publish(b, uri, 1, 2);
    expect(await numbers(listener, 2)).toEqual([1, 2]);
    const stream = await session.get();
    expect((await stream.messages(2)).map(({ params }) => params?.["n"])).toEqual([1, 2]);
    stream.leave();
  });
});
