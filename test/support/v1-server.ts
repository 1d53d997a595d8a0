/** A server of SDK v1 that shows what its tools are told of the request, and has tasks of 2025-11-25. @module */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import * as z from "zod";
import type { ServerContext } from "../../src/session/server/factory.ts";
import { sessionTaskStore } from "../../src/tasks/session-tasks.ts";
import { pause } from "../../worker/example/reply.ts";

export function createV1Server({ session, waitUntil }: ServerContext): McpServer {
  const taskStore = session && sessionTaskStore(session, { maxTasks: 5, pollIntervalMs: 50 });
  const tasks = { list: {}, cancel: {}, requests: { tools: { call: {} } } };
  const server = new McpServer(
    { name: "v1", version: "0" },
    taskStore === undefined ? {} : { capabilities: { tasks }, taskStore },
  );
  server.registerTool("request", { description: "The request as the tool sees it" }, ({ requestInfo }) => {
    const header = requestInfo?.headers["x-tag"];
    const url = requestInfo?.url?.href;
    return {
      content: [{ type: "text", text: JSON.stringify({ header, url, printed: requestInfo }) }],
    };
  });
  if (session === undefined || taskStore === undefined) return server;
  const { state } = session;

  server.registerTool(
    "go",
    { description: "Lets `slow` of this name end", inputSchema: { name: z.string() } },
    ({ name }) => {
      state.set(`go ${name}`, true);
      return { content: [] };
    },
  );
  server.registerTool("keys", { description: "What the session's state holds of tasks" }, () => ({
    content: [
      {
        type: "text",
        text: state
          .keys()
          .filter((name) => name.includes("task"))
          .join(),
      },
    ],
  }));
  server.experimental.tasks.registerToolTask(
    "slow",
    {
      description: "A task that goes on until it is let go",
      inputSchema: { name: z.string() },
      execution: { taskSupport: "required" },
    },
    {
      async createTask({ name }, extra) {
        const task = await extra.taskStore.createTask({ ttl: extra.taskRequestedTtl ?? null });
        const work = async (): Promise<void> => {
          while (state.get(`go ${name}`) === undefined) await pause(20);
          const { status } = await extra.taskStore.getTask(task.taskId);
          if (status !== "working") return;
          const content = [{ type: "text" as const, text: `done ${name}` }];
          await extra.taskStore.storeTaskResult(task.taskId, "completed", { content });
        };
        waitUntil(work());
        return { task };
      },
      getTask: (_, { taskStore: own, taskId }) => own.getTask(taskId),
      getTaskResult: async (_, { taskStore: own, taskId }) => (await own.getTaskResult(taskId)) as never,
    },
  );
  return server;
}
