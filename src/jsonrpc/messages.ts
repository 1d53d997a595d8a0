/**
 * JSON-RPC 2.0 messages as MCP uses them: the types, and what tells them apart. It imports nothing.
 * @module
 */

/** A request's id: a string or an integer, never null (MCP, base protocol, "Requests"). */
export type RequestId = string | number;

/** A JSON object as it arrives: nothing is known of its members. */
export type JsonObject = { [key: string]: unknown };

/** What must be answered, once (JSON-RPC 2.0 section 4). */
export interface JsonRpcRequest {
  jsonrpc: "2.0";
  id: RequestId;
  method: string;
  params?: JsonObject;
}

/** What is never answered (JSON-RPC 2.0 section 4.1). */
export interface JsonRpcNotification {
  jsonrpc: "2.0";
  method: string;
  params?: JsonObject;
}

/** Why there is no result (JSON-RPC 2.0 section 5.1). */
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

/** Any message; told apart by `isRequest`, `isNotification` and `isResponse`. */
export type JsonRpcMessage = JsonRpcRequest | JsonRpcNotification | JsonRpcResponse;

/** A parsed body: one message, or a batch of 1 to `MAX_BATCH` (`parse.ts`) of them. */
export interface Payload {
  readonly batch: boolean;
  readonly messages: readonly JsonRpcMessage[];
  /** About what it takes in memory, in bytes; undefined where that is not worth counting. */
  readonly weight?: number;
}

/** True for a non-null, non-array object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** True for what has a method and an id. */
export function isRequest(message: JsonRpcMessage): message is JsonRpcRequest {
  return "method" in message && "id" in message;
}

/** True for what has a method and no id. */
export function isNotification(message: JsonRpcMessage): message is JsonRpcNotification {
  return "method" in message && !("id" in message);
}

/** True for what has no method. */
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
