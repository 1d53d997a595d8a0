/** A deploy under a session that lives on: its client is told, once, and what it promises is kept. */
import { McpServer } from "@modelcontextprotocol/server";
import { describe, expect, onTestFinished, test } from "vitest";
import { createLocalMcp, type LocalMcp } from "../../src/local/node.ts";
import { ask, freshFile, open } from "../local/served.ts";
import { type Message, request, toolCall } from "../support/messages.ts";
import { type EventStream, readEvents } from "../support/sse.ts";
import { eventually } from "../support/wait.ts";

interface Deployed {
  readonly version?: string;
  readonly instructions?: string;
  /** Promises to keep subscriptions; no handler is set. */
  readonly subscribe?: boolean;
}

/** A process that serves this version on the file. */
function deploy(database: string, { version = "1", instructions, subscribe = true }: Deployed = {}) {
  const events: string[] = [];
  const mcp = createLocalMcp({
    database,
    onEvent: ({ type }) => events.push(type),
    createServer: () => {
      const server = new McpServer(
        { name: "deployed", version },
        { capabilities: { tools: {}, resources: { subscribe } }, ...(instructions && { instructions }) },
      );
      server.registerTool("version", {}, () => ({ content: [{ type: "text", text: version }] }));
      server.registerResource("r", "test://r", {}, () => ({ contents: [] }));
      return server;
    },
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
