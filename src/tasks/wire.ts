/**
 * What crosses between the edge and a task: JSON both ways. A field that is added, and may be missing, is passed over
 * by who does not know it; a request that is not understood is answered `unreadable`, and nothing is done.
 * @module
 */
import type { Failure } from "../jsonrpc/failures.ts";
import { isObject, type JsonObject, type JsonRpcRequest, type JsonRpcResponse } from "../jsonrpc/messages.ts";

/** What the edge asks of a task. */
export type TaskRequest =
  /** Runs the caller's call: as a task at once, or as one where it takes long. Asked again, it says what there is. */
  | { readonly op: "start"; readonly taskId: string; readonly call: JsonRpcRequest; readonly atOnce: boolean }
  | { readonly op: "get" | "cancel"; readonly taskId: string }
  | { readonly op: "update"; readonly taskId: string; readonly inputResponses: JsonObject }
  /** Whoever started it has left before it became a task. */
  | { readonly op: "leave"; readonly taskId: string };

/** What it answers. */
export type TaskReply =
  /** It is a task: without its details. */
  | { readonly kind: "task"; readonly task: JsonObject }
  /** With its details, and the number of its last change. */
  | { readonly kind: "detailed"; readonly task: JsonObject; readonly version: number }
  /** The call was answered before it became a task, and nothing of it is kept. */
  | { readonly kind: "answered"; readonly response: JsonRpcResponse }
  | { readonly kind: "done" }
  | { readonly kind: "unknown" }
  | { readonly kind: "refused"; readonly failure: Failure }
  | { readonly kind: "unreadable" };

/** What is asked; undefined where this code does not understand it. */
export function taskRequestFrom(value: JsonObject): TaskRequest | undefined {
  const { op, taskId, call, atOnce, inputResponses } = value;
  if (typeof taskId !== "string") return undefined;
  switch (op) {
    case "get":
    case "cancel":
    case "leave":
      return { op, taskId };
    case "update":
      return isObject(inputResponses) ? { op, taskId, inputResponses } : undefined;
    case "start":
      return isObject(call) && call["method"] === "tools/call" && typeof atOnce === "boolean"
        ? { op, taskId, call: call as unknown as JsonRpcRequest, atOnce }
        : undefined;
    default:
      return undefined;
  }
}
