/**
 * JSON-RPC 2.0 messages as MCP uses them: the types, and the one place that parses and classifies a body.
 * @module
 */
import * as failures from "./failures.ts";

/** A request's id: a string or an integer, never null (MCP, base protocol, "Requests"). */
export type RequestId = string | number;

/** A JSON object as it arrives: nothing is known of its members. */
export type JsonObject = { [key: string]: unknown };

export interface JsonRpcRequest {
  jsonrpc: "2.0";
  id: RequestId;
  method: string;
  params?: JsonObject;
}

export interface JsonRpcNotification {
  jsonrpc: "2.0";
  method: string;
  params?: JsonObject;
}

export interface JsonRpcErrorObject {
  code: number;
  message: string;
  data?: unknown;
}

/** A result, or an error. An error about a message whose id could not be read carries none. */
export interface JsonRpcResponse {
  jsonrpc: "2.0";
  id: RequestId;
  result?: JsonObject;
  error?: JsonRpcErrorObject;
}

export type JsonRpcMessage = JsonRpcRequest | JsonRpcNotification | JsonRpcResponse;

/** A parsed body: one message, or a batch of 1 to {@link MAX_BATCH} of them. */
export interface Payload {
  readonly batch: boolean;
  readonly messages: readonly JsonRpcMessage[];
}

/** The most messages one batch may hold. */
export const MAX_BATCH = 100;

export function isRequest(message: JsonRpcMessage): message is JsonRpcRequest {
  return "method" in message && "id" in message;
}

export function isNotification(message: JsonRpcMessage): message is JsonRpcNotification {
  return "method" in message && !("id" in message);
}

export function isResponse(message: JsonRpcMessage): message is JsonRpcResponse {
  return !("method" in message);
}

/** True for a single `initialize` request; a batch never counts (2025-03-26, lifecycle). */
export function isInitialize(payload: Payload): boolean {
  const [first] = payload.messages;
  return !payload.batch && first !== undefined && isRequest(first) && first.method === "initialize";
}

/** Params of the `initialize` that stands for one which was never seen: nothing is promised in the client's name. */
export function unknownClient(protocolVersion: string): JsonObject {
  return { protocolVersion, capabilities: {}, clientInfo: { name: "unknown", version: "0" } };
}

/**
 * Parses a body and checks each message's envelope. What is inside `params` and `result` is the
 * server's business and passes untouched.
 */
export function parsePayload(text: string): { payload: Payload } | { failure: failures.Failure } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { failure: failures.parseError };
  }
  if (!Array.isArray(body)) {
    return isMessage(body)
      ? { payload: { batch: false, messages: [body] } }
      : { failure: failures.invalidRequest("The body is not a JSON-RPC 2.0 message") };
  }
  if (body.length === 0) return { failure: failures.invalidRequest("A batch must not be empty") };
  if (body.length > MAX_BATCH) {
    return { failure: failures.invalidRequest(`A batch holds at most ${MAX_BATCH} messages`) };
  }
  if (!body.every(isMessage)) {
    return { failure: failures.invalidRequest("The batch has an entry that is not a JSON-RPC 2.0 message") };
  }
  if (body.some((message) => isRequest(message) && message.method === "initialize")) {
    return { failure: failures.invalidRequest("initialize must not be part of a batch") };
  }
  return { payload: { batch: true, messages: body } };
}

function isMessage(value: unknown): value is JsonRpcMessage {
  if (!isObject(value) || value["jsonrpc"] !== "2.0") return false;
  const { id, method, params } = value;
  if ("method" in value) {
    return (
      typeof method === "string" &&
      (params === undefined || isObject(params)) &&
      (!("id" in value) || isRequestId(id))
    );
  }
  if (isObject(value["error"])) return id === undefined || id === null || isRequestId(id);
  return "result" in value && isRequestId(id);
}

/** True for a non-null, non-array object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isRequestId(value: unknown): value is RequestId {
  return typeof value === "string" || (typeof value === "number" && Number.isFinite(value));
}
