/**
 * What is stored of a task, what becomes of it, and how it looks on the wire (SEP-2663, "Tasks"). No storage and no
 * transport is known here.
 * @module
 */
import type { JsonObject, JsonRpcErrorObject } from "../jsonrpc/messages.ts";
import { openOf, type Questions } from "./questions.ts";

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
