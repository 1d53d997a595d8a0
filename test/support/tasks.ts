/** A raw client of tasks (2026-07-28). @module */
import { expect } from "vitest";
import type { Message } from "./messages.ts";
import { answerOf } from "./mcp.ts";
import { headersFor, modernRequest, postModern } from "./modern.ts";
import { eventually } from "./wait.ts";

export const TASKS = "io.modelcontextprotocol/tasks";

/** What a client that knows tasks says of itself. */
export const KNOWS_TASKS = { elicitation: {}, sampling: {}, extensions: { [TASKS]: {} } };

export interface Task {
  readonly taskId: string;
  readonly status: string;
  readonly statusMessage?: string;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
  readonly ttlMs: number;
  readonly pollIntervalMs: number;
  readonly resultType?: string;
  readonly result?: { content: { text: string }[]; isError?: boolean };
  readonly error?: { code: number; message: string; data?: unknown };
  readonly inputRequests?: Record<string, { method: string; params: Record<string, unknown> }>;
}

export interface TaskClient {
  /** Sends any request, as a client that knows tasks. */
  ask(method: string, params?: Record<string, unknown>): Promise<Message>;
  /** Calls a tool; the answer, whatever it is. */
  call(name: string, args?: Record<string, unknown>, more?: Record<string, unknown>): Promise<Message>;
  /** Calls a tool that must become a task. */
  start(name: string, args?: Record<string, unknown>): Promise<Task>;
  get(taskId: string): Promise<Task>;
  update(taskId: string, inputResponses: Record<string, unknown>): Promise<Message>;
  cancel(taskId: string): Promise<Message>;
  /** Asks until the task has this status. */
  until(taskId: string, status: string, ms?: number): Promise<Task>;
}

/** @param url asked each time, since a server that was killed may come back under another */
export function taskClient(
  url: () => string,
  headers: Readonly<Record<string, string>> = {},
  capabilities: Record<string, unknown> = KNOWS_TASKS,
): TaskClient {
  const ask: TaskClient["ask"] = async (method, params = {}) => {
    const message = modernRequest(method, params, undefined, capabilities);
    const named = method.startsWith("tasks/") ? { "Mcp-Name": String(params["taskId"]) } : {};
    const response = await postModern(url(), message, { ...headersFor(message), ...named, ...headers });
    return answerOf(response, message.id);
  };
  const resultOf = ({ result, error }: Message): unknown => {
    if (result === undefined) throw new Error(JSON.stringify(error));
    return result;
  };
  const client: TaskClient = {
    ask,
    call: (name, args = {}, more = {}) => ask("tools/call", { name, arguments: args, ...more }),
    async start(name, args) {
      const task = resultOf(await client.call(name, args)) as Task;
      expect(task).toMatchObject({ resultType: "task" });
      return task;
    },
    get: async (taskId) => resultOf(await ask("tasks/get", { taskId })) as Task,
    update: (taskId, inputResponses) => ask("tasks/update", { taskId, inputResponses }),
    cancel: (taskId) => ask("tasks/cancel", { taskId }),
    until: (taskId, status, ms) =>
      eventually(async () => {
        const task = await client.get(taskId);
        expect(task.status, JSON.stringify(task)).toBe(status);
        return task;
      }, ms),
  };
  return client;
}

/** The text of a task's result. */
export function textIn({ result }: Task): string | undefined {
  return result?.content[0]?.text;
}

/** An elicitation's answer. */
export function accept(content: Record<string, unknown>): Record<string, unknown> {
  return { action: "accept", content };
}
