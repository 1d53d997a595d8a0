/**
 * What is stored of a task, what becomes of it, and how it looks on the wire (SEP-2663, "Tasks"). No storage and no
 * transport is known here.
 * @module
 */
import type { JsonObject, JsonRpcErrorObject } from "../jsonrpc/messages.ts";

/** The extension's name, for capabilities. */
export const TASKS = "io.modelcontextprotocol/tasks";

/** `working` and `input_required` go back and forth; the others are final. */
export type TaskStatus = "working" | "input_required" | "completed" | "failed" | "cancelled";

/** A task as it is stored; there is one row for each. */
export interface TaskRecord {
  /** As its client knows it: `<id>.<mark of its owner>`. */
  taskId: string;
  principal: string | null;
  /** The hub's topic that its call came in by. */
  topic: string;
  status: TaskStatus;
  statusMessage: string | null;
  created: number;
  updated: number;
  /** Goes up with each change that others may see. */
  version: number;
  /** Life in all, from its creation, in milliseconds. */
  ttlMs: number;
  pollIntervalMs: number;
  /** How often its call has been begun. */
  attempt: number;
  /** How often it has asked for input, and once more: the keys of what it asks begin with it. */
  round: number;
  /** 1 while the call is with a server, in whichever isolate. */
  running: number;
}

/** A question that a task has asked its client. */
export interface Question {
  /** What the tool calls it. */
  readonly name: string;
  readonly request: JsonObject;
  /** Undefined while it is not answered. */
  readonly response?: JsonObject | undefined;
}

/** Questions of one round, by the keys that their client sees: unique in the task's life. */
export type Questions = Readonly<Record<string, Question>>;

/** How a call ended. */
export type Outcome = { readonly result: JsonObject } | { readonly error: JsonRpcErrorObject };

/** True for a status that is final. */
export function isOver({ status }: Pick<TaskRecord, "status">): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** When nothing of it is kept any more. */
export function endOf({ created, ttlMs }: TaskRecord): number {
  return created + ttlMs;
}

/** The questions of a round, under keys of their own. */
export function questionsOf(round: number, asked: Readonly<Record<string, unknown>>): Questions {
  return Object.fromEntries(
    Object.entries(asked).map(([name, request]) => [
      `${round}.${name}`,
      { name, request: request as JsonObject },
    ]),
  );
}

/** Those that are still to be answered. */
export function openOf(questions: Questions): Readonly<Record<string, JsonObject>> {
  return Object.fromEntries(
    Object.entries(questions)
      .filter(([, { response }]) => response === undefined)
      .map(([key, { request }]) => [key, request]),
  );
}

/** What the tool gets when all of them are answered: its own names. */
export function answersOf(questions: Questions): Readonly<Record<string, JsonObject>> {
  return Object.fromEntries(
    Object.values(questions).flatMap(({ name, response }) =>
      response === undefined ? [] : [[name, response]],
    ),
  );
}

/** What is wrong with an answer to this question; undefined for nothing. Elicitation, sampling and roots are known. */
export function wrongWith({ request }: Question, response: unknown): string | undefined {
  if (typeof response !== "object" || response === null || Array.isArray(response)) return "is no object";
  const given = response as JsonObject;
  switch (request["method"]) {
    case "elicitation/create":
      return ["accept", "decline", "cancel"].includes(given["action"] as string)
        ? undefined
        : "is no ElicitResult: its action is accept, decline or cancel";
    case "sampling/createMessage": {
      const isMessage = typeof given["model"] === "string" && typeof given["role"] === "string";
      return isMessage && typeof given["content"] === "object" && given["content"] !== null
        ? undefined
        : "is no CreateMessageResult: it has role, model and content";
    }
    case "roots/list":
      return Array.isArray(given["roots"]) ? undefined : "is no ListRootsResult: it has roots";
    default:
      return undefined;
  }
}

/** The task without what its status brings: what `tools/call` is answered with. */
export function taskOf(record: TaskRecord): JsonObject {
  const { taskId, status, statusMessage, created, updated, ttlMs, pollIntervalMs } = record;
  return {
    taskId,
    status,
    ...(statusMessage !== null && { statusMessage }),
    createdAt: new Date(created).toISOString(),
    lastUpdatedAt: new Date(updated).toISOString(),
    ttlMs,
    pollIntervalMs,
  };
}

/** What goes with the status: `tasks/get`, `notifications/tasks`. */
export interface Details {
  readonly outcome: Outcome | undefined;
  readonly questions: Questions | undefined;
}

/** The task with all that its status brings. */
export function detailedTaskOf(record: TaskRecord, { outcome, questions }: Details): JsonObject {
  const task = taskOf(record);
  if (record.status === "input_required") return { ...task, inputRequests: openOf(questions ?? {}) };
  if (record.status === "completed" || record.status === "failed") return { ...task, ...outcome };
  return task;
}
