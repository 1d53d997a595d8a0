/** A deploy under a session that lives on: its client is told, once, and what it promises is kept. */
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createLocalMcp, type LocalMcp } from "../../src/local/node.ts";
import { createDeployedServer, type Deployed } from "../support/deployed-server.ts";
import { ask, freshFile, open } from "../local/served.ts";
import { type Message, request, toolCall } from "../support/messages.ts";
import { type EventStream, readEvents } from "../support/sse.ts";
import { openSession } from "../support/mcp.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

/** A process that serves this version on the file. */
function deploy(database: string, deployed: Deployed = {}) {
  const events: string[] = [];
  const mcp = createLocalMcp({
    database,
    onEvent: ({ type }) => events.push(type),
    createServer: () => createDeployedServer(deployed),
  });
  onTestFinished(mcp.close);
  return { ...mcp, events };
}

async function listen({ router }: LocalMcp, id: string, lastEventId?: string): Promise<EventStream> {
  const headers = new Headers({ Accept: "text/event-stream", "Mcp-Session-Id": id });
  if (lastEventId !== undefined) headers.set("Last-Event-ID", lastEventId);
  return readEvents(await router.request("/mcp", { headers }));
}

const answer = async (response: Promise<Response>): Promise<Message> =>
  (await response).json() as Promise<Message>;

describe("after a deploy", () => {
  test.each<[string, Deployed]>([
    ["another version", { version: "2" }],
    ["other instructions", { instructions: "Mind the step" }],
    ["other capabilities", { subscribe: false }],
  ])("of %s the client is told to list anew, once for each list that it holds", async (_, next) => {
    const file = freshFile();
    const before = deploy(file);
    const id = await open(before);
    await before.close();

    const after = deploy(file, next);
    const stream = await listen(after, id);
    for (let n = 0; n < 2; n++) await ask(after, toolCall("version"), id);
    const told = [await stream.message(), await stream.message()].map(({ method }) => method);
    expect(told.toSorted()).toEqual([
      "notifications/resources/list_changed",
      "notifications/tools/list_changed",
    ]);
    expect(after.events.filter((type) => type === "session.server_changed")).toHaveLength(1);
    const place = stream.lastEventId;
    stream.leave();
    await after.close();

    const again = deploy(file, next);
    await ask(again, toolCall("version"), id);
    await eventually(() => expect(again.events).toContain("session.rehydrated"));
    expect(again.events).not.toContain("session.server_changed");
    const resumed = await listen(again, id, place);
    again.notify.toolsListChanged();
    expect((await resumed.message()).method).toBe("notifications/tools/list_changed");
    resumed.leave();
  });

  test("of the same it is told nothing", async () => {
    const file = freshFile();
    const before = deploy(file);
    const id = await open(before);
    await before.close();
    const after = deploy(file);
    await ask(after, toolCall("version"), id);
    expect(after.events).toContain("session.rehydrated");
    expect(after.events).not.toContain("session.server_changed");
  });
});

describe("a subscription that the server promises and has no handler for", () => {
  const subscribe = (mcp: LocalMcp, id: string, method = "resources/subscribe"): Promise<Message> =>
    answer(ask(mcp, request(method, { uri: "test://r" }), id));

  test("is kept by the transport, over restarts too, until it is taken back", async () => {
    const file = freshFile();
    const before = deploy(file);
    const id = await open(before);
    expect(await subscribe(before, id)).toMatchObject({ result: {} });
    await before.close();

    const after = deploy(file);
    const stream = await listen(after, id);
    after.notify.resourceUpdated("test://r");
    expect(await stream.message()).toMatchObject({
      method: "notifications/resources/updated",
      params: { uri: "test://r" },
    });
    expect(await subscribe(after, id, "resources/unsubscribe")).toMatchObject({ result: {} });
    after.notify.resourceUpdated("test://r");
    after.notify.toolsListChanged();
    expect((await stream.message()).method).toBe("notifications/tools/list_changed");
    stream.leave();
  });

  test("is refused as the server refuses it where it promises nothing", async () => {
    const mcp = deploy(freshFile(), { subscribe: false });
    const id = await open(mcp);
    expect((await subscribe(mcp, id)).error).toMatchObject({ code: -32601 });
  });
});

describe("on workerd, where edge and object are killed", () => {
  const LISTS = ["notifications/resources/list_changed", "notifications/tools/list_changed"];
  const vars: Record<string, string> = {};
  let server: Workerd;

  beforeEach(async () => {
    vi.stubGlobal("fetch", unpooledFetch);
    for (const name of Object.keys(vars)) delete vars[name];
    server = await startWorkerd({ vars, entry: new URL("../worker/deployed.ts", import.meta.url).pathname });
    onTestFinished(server.close);
  });

  const changes = (): number =>
    server.events().filter(({ type }) => type === "session.server_changed").length;
  const rehydrations = (): number =>
    server.events().filter(({ type }) => type === "session.rehydrated").length;
  const deployOther = async (next: Record<string, string>): Promise<void> => {
    Object.assign(vars, next);
    await server.restart();
  };

  test.each<Record<string, string>>([{ VERSION: "2" }, { INSTRUCTIONS: "Mind the step" }])(
    "a deploy of %j is told once for each list, however often its object starts",
    async (next) => {
      const session = await openSession(server.url);
      expect(await session.tool("version")).toBe("1");
      // The same version again.
      await deployOther({});
      expect(await session.tool("version")).toBe("1");
      await eventually(() => expect(rehydrations()).toBe(1));
      expect(changes()).toBe(0);

      await deployOther(next);
      const stream = await session.get();
      expect(await session.tool("version")).toBe(vars["VERSION"] ?? "1");
      const told = [await stream.message(), await stream.message()].map(({ method }) => method);
      expect(told.toSorted()).toEqual(LISTS);
      const place = stream.lastEventId;
      await deployOther({});
      expect(await session.tool("version")).toBe(vars["VERSION"] ?? "1");
      await eventually(() => expect(rehydrations()).toBe(3));
      expect(changes()).toBe(1);
      // Nothing waited but what is told now.
      const again = await session.get(place);
      await session.request(request("resources/subscribe", { uri: "test://r" }));
      await fetch(`${server.url}/__test/notify?uri=test://r`, { method: "POST" });
      expect((await again.message()).method).toBe("notifications/resources/updated");
      again.leave();
    },
  );

  test("a subscription that the transport answers is heard through a deploy, until it is taken back", async () => {
    const session = await openSession(server.url);
    expect(await session.request(request("resources/subscribe", { uri: "test://r" }))).toMatchObject({
      result: {},
    });
    await server.restart();
    const stream = await session.get();
    const publish = (uri: string): Promise<Response> =>
      fetch(`${server.url}/__test/notify?uri=${uri}`, { method: "POST" });
    await publish("test://other");
    await publish("test://r");
    expect(await stream.message()).toMatchObject({
      method: "notifications/resources/updated",
      params: { uri: "test://r" },
    });
    await session.request(request("resources/subscribe", { uri: "test://last" }));
    expect(await session.request(request("resources/unsubscribe", { uri: "test://r" }))).toMatchObject({
      result: {},
    });
    await server.restart();
    const after = await session.get(stream.lastEventId);
    await publish("test://r");
    await publish("test://last");
    expect(await after.message()).toMatchObject({ params: { uri: "test://last" } });
    after.leave();
  });
});
