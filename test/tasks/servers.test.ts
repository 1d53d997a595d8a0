/** Servers that a factory gives more than once, and what a sealed state of a task's is good for. */
import { McpServer, requireScopes } from "@modelcontextprotocol/server";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createLocalMcp, type HoldfastEvent, type ServerContext } from "../../src/local/node.ts";
import { modernHandler, sealedState } from "../../src/modern/index.ts";
import { durableTasks } from "../../src/tasks/index.ts";
import { headersFor, modernRequest } from "../support/modern.ts";
import { KNOWS_TASKS } from "../support/tasks.ts";

const info = { name: "again", version: "0" };
const done = { content: [{ type: "text" as const, text: "done" }] };

function build(): McpServer {
  const server = new McpServer(info);
  server.registerTool("long", {}, () => done);
  server.registerTool("guarded", { scopeChallenge: requireScopes("write") }, () => done);
  return server;
}

test("a server that has served a task serves nobody else", async () => {
  const events: HoldfastEvent[] = [];
  const kept = build();
  const createServer = (): McpServer => kept;
  const tasks = durableTasks({ tool: ({ params }) => (params?.["name"] === "long" ? "required" : "never") });
  const mcp = createLocalMcp({
    createServer,
    env: false,
    modern: modernHandler({ createServer, tasks }),
    authorize: (request) => ({ principal: request.headers.get("x-user") ?? "", authInfo: { scopes: [] } }),
    onEvent: (event) => events.push(event),
  });
  onTestFinished(() => mcp.close());
  const call = async (user: string, name: string): Promise<Response> => {
    const message = modernRequest("tools/call", { name, arguments: {} }, undefined, KNOWS_TASKS);
    return mcp.router.request("/mcp", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
        "X-User": user,
        ...headersFor(message),
      },
      body: JSON.stringify(message),
    });
  };
  expect((await call("ann", "guarded")).status).toBe(403);
  const started = (await (await call("ann", "long")).json()) as { result: { taskId: string } };
  expect(started.result.taskId).toMatch(/^[0-9a-f]{64}\.[0-9a-f]{32}$/);
  for (const name of ["long", "guarded", "long"]) {
    const answer = await call("bob", name);
    expect(answer.status).toBe(500);
    expect(await answer.json()).toMatchObject({ error: { code: -32603 } });
  }
  expect(events).toContainEqual(
    expect.objectContaining({
      type: "request.error",
      message: expect.stringContaining("build a new one") as string,
    }),
  );
});

describe("a sealed state", () => {
  const message = {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "long", arguments: {} },
  } as const;
  const call = { mcpReq: { method: "tools/call" } } as never;
  const secret = "0123456789abcdef0123456789abcdef";
  const base = {
    env: {},
    message,
    principal: "ann",
    waitUntil: () => {},
    authInfo: undefined,
    request: new Request("http://h/"),
  };
  const task = { id: "t", attempt: 1, ttlMs: 86_400_000, state: {} as never, progress() {} };

  test.each([
    { era: "modern", context: { ...base, era: "modern" } as ServerContext, outlasts: false },
    { era: "task", context: { ...base, era: "task", task } as ServerContext, outlasts: true },
  ])("of the era $era is good for a day: $outlasts", async ({ context, outlasts }) => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const states = sealedState<number>(context, { secret });
    const sealed = await states.mint(7, call);
    vi.setSystemTime(Date.now() + 86_000_000);
    const opened = states.verify(sealed, call);
    if (outlasts) expect(await opened).toBe(7);
    else await expect(opened).rejects.toThrow();
    vi.setSystemTime(Date.now() + 1_000_000);
    await expect(states.verify(sealed, call)).rejects.toThrow();
  });
});
