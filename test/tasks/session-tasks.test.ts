/** Tasks of 2025-11-25: SDK v1's own, over a store in the session, met by SDK v1's client. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterEach, describe, expect, test } from "vitest";
import { everywhere } from "./everywhere.ts";
import { mortal } from "../support/hosts.ts";
import { eventually } from "../support/wait.ts";

describe.each(everywhere)("on $name", (host) => {
  const server = mortal(host, { TEST_SDK: "v1" });
  const open: Client[] = [];
  afterEach(async () => {
    for (const client of open.splice(0)) await client.close();
  });

  async function connected(): Promise<Client> {
    const client = new Client({ name: "v1", version: "1" }, { capabilities: { tasks: {} } });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`)) as never);
    // Which tools are tasks is something that the client looks up.
    await client.listTools();
    open.push(client);
    return client;
  }

  /** Starts a task, and leaves it. */
  async function begun(client: Client, name: string, ttl?: number): Promise<string> {
    const stream = client.experimental.tasks.callToolStream(
      { name: "slow", arguments: { name } },
      CallToolResultSchema,
      { task: { ...(ttl !== undefined && { ttl }) } },
    );
    for await (const message of stream) {
      if (message.type === "taskCreated") return message.task.taskId;
      if (message.type === "error") throw message.error;
    }
    throw new Error("no task came of it");
  }

  const go = (client: Client, name: string): Promise<unknown> =>
    client.callTool({ name: "go", arguments: { name } });
  const statusOf = async (client: Client, taskId: string): Promise<string> =>
    (await client.experimental.tasks.getTask(taskId)).status;
  const resultOf = (client: Client, taskId: string): Promise<unknown> =>
    client.experimental.tasks.getTaskResult(taskId, CallToolResultSchema);

  test("a task is made, found, listed, and brings its result", async () => {
    const client = await connected();
    const taskId = await begun(client, "a");
    expect(await statusOf(client, taskId)).toBe("working");
    const result = resultOf(client, taskId);
    await go(client, "a");
    expect(await result).toMatchObject({ content: [{ type: "text", text: "done a" }] });
    const { tasks } = await client.experimental.tasks.listTasks();
    expect(tasks).toMatchObject([{ taskId, status: "completed", ttl: 86_400_000, pollInterval: 50 }]);
  });

  test("one that is over is found after a SIGKILL, with its result", async () => {
    const client = await connected();
    const taskId = await begun(client, "b");
    await go(client, "b");
    await eventually(async () => expect(await statusOf(client, taskId)).toBe("completed"));
    await server.kill();
    await server.restart();
    expect(await statusOf(client, taskId)).toBe("completed");
    expect(await resultOf(client, taskId)).toMatchObject({ content: [{ type: "text", text: "done b" }] });
  });

  test("one that was under way has failed after a SIGKILL, says so once, and is not done twice", async () => {
    const client = await connected();
    const taskId = await begun(client, "c");
    await server.kill();
    await server.restart();
    await go(client, "c");
    expect(await client.experimental.tasks.getTask(taskId)).toMatchObject({
      status: "failed",
      statusMessage: expect.stringContaining("restarted") as string,
    });
    expect(await resultOf(client, taskId)).toMatchObject({ isError: true });
  });

  test("one that is cancelled stays so", async () => {
    const client = await connected();
    const taskId = await begun(client, "d");
    expect(await client.experimental.tasks.cancelTask(taskId)).toMatchObject({ status: "cancelled" });
    await go(client, "d");
    await server.kill();
    await server.restart();
    expect(await statusOf(client, taskId)).toBe("cancelled");
  });

  test("another session's task is unknown", async () => {
    const taskId = await begun(await connected(), "e");
    await expect(statusOf(await connected(), taskId)).rejects.toThrow(/not found/i);
  });

  test("there are no more than may be, and nothing is left of one whose time is up", async () => {
    const client = await connected();
    for (let n = 0; n < 5; n++) await begun(client, "f", 1500);
    // The SDK's words for a tool that could make none.
    await expect(begun(client, "f")).rejects.toThrow(/Invalid task creation result/);
    await eventually(async () => expect((await client.experimental.tasks.listTasks()).tasks).toEqual([]));
    expect(await client.callTool({ name: "keys" })).toMatchObject({ content: [{ type: "text", text: "" }] });
    await begun(client, "f");
  });
});
