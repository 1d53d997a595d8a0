/** What tasks leave behind, what they cost, and how many there may be. */
import { McpServer } from "@modelcontextprotocol/server";
import { describe, expect, test } from "vitest";
import { createMcpRouter } from "../../src/index.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { durableTasks, type TasksOptions } from "../../src/tasks/index.ts";
import { inspect } from "../support/back-door.ts";
import { mortal, workerd } from "../support/hosts.ts";
import { textOf } from "../support/messages.ts";
import { headersFor, modernRequest } from "../support/modern.ts";
import { node } from "../support/node.ts";
import { KNOWS_TASKS, taskClient } from "../support/tasks.ts";
import { eventually } from "../support/wait.ts";

const TTL_MS = 5000;
const MANY = 1000;
/** Each is a file that workerd makes and syncs. */
const OBJECTS = 200;
const idOf = (taskId: string): string => taskId.split(".")[0] ?? "";

/** Starts many tasks, some at a time; in the end some have ended, some run, and some wait for input. */
async function abandon(url: () => string, count: number): Promise<string[]> {
  const client = taskClient(url);
  const starts = [
    () => client.start("task_hang", { tag: "left" }),
    () => client.start("confirm_delete", { filename: "left" }),
    () => client.start("task_wait", { ms: 0 }),
    () => client.start("task_steps", { count: 1000, ms: 200, tag: "left" }),
  ];
  const ids: string[] = [];
  for (let n = 0; n < count; n += 50) {
    const batch = Array.from({ length: 50 }, (_, index) =>
      (starts[(n + index) % starts.length] ?? starts[0])?.(),
    );
    for (const task of await Promise.all(batch)) if (task !== undefined) ids.push(task.taskId);
  }
  return ids;
}

describe("a thousand tasks that their clients leave", () => {
  const vars = { TEST_TASK_TTL_MS: String(TTL_MS), TEST_MAX_TASKS: "2000", HOLDFAST_LOG_LEVEL: "silent" };
  const local = mortal(node, vars);
  const remote = mortal(workerd, vars);

  test("leave no row and no alarm in one process", { timeout: 120_000 }, async () => {
    const ids = await abandon(() => local.url, MANY);
    expect(new Set(ids).size).toBe(MANY);
    const count = async (): Promise<unknown> => (await fetch(`${local.url}/__test/tasks`)).json();
    await eventually(
      async () => expect(await count()).toEqual({ task: 0, task_text: 0, task_entry: 0, guest_alarm: 0 }),
      60_000,
    );
    expect(await taskClient(() => local.url).ask("tasks/get", { taskId: ids[0] })).toMatchObject({
      error: { code: -32602 },
    });
  });

  test("leave no row, no alarm and nothing awake on Workers", { timeout: 120_000 }, async () => {
    const ids = await abandon(() => remote.url, OBJECTS);
    expect(new Set(ids).size).toBe(OBJECTS);
    const isBare = async (taskId: string): Promise<void> => {
      const { tables, alarm } = await inspect(remote.url, idOf(taskId));
      expect({ tables, alarm }).toEqual({ tables: {}, alarm: null });
    };
    // Each on its own: what is bare stays so.
    for (let n = 0; n < OBJECTS; n += 50) {
      await Promise.all(ids.slice(n, n + 50).map((taskId) => eventually(() => isBare(taskId), 60_000)));
    }
  });
});

describe("where as many tasks are kept as may be", () => {
  const server = mortal(node, {
    TEST_AUTH: "on",
    TEST_MAX_TASKS: "5",
    TEST_MAX_TASKS_EACH: "3",
    TEST_TASK_AFTER_MS: "100",
  });
  const as = (principal: string) => taskClient(() => server.url, { Authorization: `Bearer ${principal}:1` });

  test("a further one is refused, an optional one stays a plain call, and an ended one still counts", async () => {
    for (let n = 0; n < 3; n++) await as("ann").start("task_wait", { ms: 0 });
    expect((await as("ann").call("task_wait", { ms: 0 })).error).toMatchObject({
      code: -32000,
      message: expect.stringContaining("3 tasks are kept already") as string,
    });
    expect(textOf(await as("ann").call("maybe_wait", { ms: 400 }))).toBe("waited 400");
    for (let n = 0; n < 2; n++) await as("bob").start("task_wait", { ms: 0 });
    expect((await as("cleo").call("task_wait", { ms: 0 })).error).toMatchObject({
      code: -32000,
      message: expect.stringContaining("5 tasks are kept already") as string,
    });
    const told = server.events().filter(({ type }) => type === "limit.reached");
    expect(told.map(({ limit }) => limit)).toEqual(["maxTasksPerPrincipal", "maxTasks"]);
  });
});

describe.each([node, workerd])("tasks that hold much, on $name", (host) => {
  const server = mortal(host, {
    HOLDFAST_MAX_BODY_BYTES: "300000",
    HOLDFAST_MAX_BODY_BYTES_IN_FLIGHT: "400000",
    TEST_TASK_AFTER_MS: "100",
  });
  const client = taskClient(() => server.url);
  /** 100 kB of text that are millions of bytes as objects. */
  const big = Array.from({ length: 33_000 }, () => ({}));
  const full = { code: -32000, message: expect.stringContaining("all the room there is") as string };

  test("find no room while others run, and find it once those are over or wait for input", async () => {
    const { taskId } = await client.start("task_hang", { tag: "big", big });
    expect((await client.call("task_wait", { ms: 0, big })).error).toMatchObject(full);
    expect((await client.call("maybe_wait", { ms: 0, big })).error).toMatchObject(full);
    expect(textOf(await client.call("maybe_wait", { ms: 0 }))).toBe("waited 0");
    await client.cancel(taskId);
    const asking = await client.start("confirm_delete", { filename: "f", big });
    await client.until(asking.taskId, "input_required");
    const optional = await client.start("maybe_hang", { tag: "big", big });

    // The answer that would begin it again is not lost: it can be given once more.
    const answer = { "1.confirm": { action: "accept", content: { confirm: true } } };
    expect((await client.update(asking.taskId, answer)).error).toMatchObject(full);
    expect((await client.get(asking.taskId)).status).toBe("input_required");
    await client.cancel(optional.taskId);
    expect((await client.update(asking.taskId, answer)).error).toBeUndefined();
    await client.until(asking.taskId, "completed");
    expect(textOf(await client.call("maybe_wait", { ms: 0, big }))).toBe("waited 0");
  });
});

describe("a call that is no task", () => {
  /** A host that may not be touched. */
  const none = (): never => {
    throw new Error("an object was touched");
  };
  const host = { find: () => undefined, named: none, mint: none, user: none, guests: none };
  const createServer = (): McpServer => {
    const server = new McpServer({ name: "plain", version: "0" });
    server.registerTool("plain", {}, () => ({ content: [{ type: "text", text: "done" }] }));
    return server;
  };
  const tasks = durableTasks({ tool: ({ params }) => (params?.["name"] === "plain" ? "never" : "optional") });
  const router = createMcpRouter({ host, modern: modernHandler({ createServer, tasks }), onEvent: () => {} });
  const ask = async (
    method: string,
    params: Record<string, unknown>,
    capabilities: Record<string, unknown>,
  ) => {
    const message = modernRequest(method, params, undefined, capabilities);
    const answer = await router.request("/mcp", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
        ...headersFor(message),
      },
      body: JSON.stringify(message),
    });
    return (await answer.json()) as { result?: Record<string, unknown>; error?: { code: number } };
  };

  test("touches no object, nor does a forged id", async () => {
    const plain = { name: "plain", arguments: {} };
    for (const capabilities of [{}, KNOWS_TASKS]) {
      expect((await ask("tools/call", plain, capabilities)).result).toMatchObject({
        content: [{ text: "done" }],
      });
      expect((await ask("tools/list", {}, capabilities)).result).toBeDefined();
      expect((await ask("server/discover", {}, capabilities)).result).toMatchObject({
        capabilities: { extensions: { "io.modelcontextprotocol/tasks": {} } },
      });
    }
    expect((await ask("tools/call", { name: "other", arguments: {} }, {})).error).toMatchObject({
      code: -32602,
    });
  });
});

describe("a quick call that may be a task writes nothing", () => {
  const remote = mortal(workerd, { TEST_TASK_AFTER_MS: "5000" });
  const local = mortal(node, { TEST_TASK_AFTER_MS: "5000" });

  test("on Workers and in one process", async () => {
    const written = async (): Promise<number> => {
      // Any object knows what all of its isolate have written.
      const response = await fetch(`${remote.url}/__test/inspect?hub=nobody`);
      return ((await response.json()) as { rowsWritten: number }).rowsWritten;
    };
    await written();
    const before = await written();
    for (let n = 0; n < 5; n++) {
      expect(textOf(await taskClient(() => remote.url).call("maybe_wait", { ms: 1 }))).toBe("waited 1");
      expect(textOf(await taskClient(() => local.url).call("maybe_wait", { ms: 1 }))).toBe("waited 1");
    }
    expect((await written()) - before).toBe(0);
    expect(await (await fetch(`${local.url}/__test/tasks`)).json()).toEqual({
      task: 0,
      task_text: 0,
      task_entry: 0,
      guest_alarm: 0,
    });
  });
});

test.each([
  { tool: "always" },
  { tool: () => "never", afterMs: -1 },
  { tool: () => "never", ttlMs: 10 },
  { tool: () => "never", pollIntervalMs: 0.5 },
  { tool: () => "never", maxAttempts: 0 },
  { tool: () => "never", maxTasks: Number.NaN },
])("an option that is wrong is named: %o", (options) => {
  const [name] = Object.keys(options).toReversed();
  expect(() => durableTasks(options as unknown as TasksOptions)).toThrow(`${name} must be`);
});
