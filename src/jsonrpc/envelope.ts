/**
 * The envelope of a JSON-RPC message: what the protocol knows of it, checked whole. The official SDKs drop a
 * message whose envelope does not fit their schemas, without an answer; so what passes here fits the
 * strictest of them, and what does not is refused with the member's path.
 * @module
 */
import * as failures from "./failures.ts";
import {
  isObject,
  type JsonObject,
  type JsonRpcErrorObject,
  type JsonRpcMessage,
  type RequestId,
} from "./messages.ts";

/** Longest id and longest progress token: both are stored or sent back with each message about their request. */
export const MAX_ID_BYTES = 1024;
/** Longest URI in a request to read or to subscribe: it is stored, and part of a key. */
export const MAX_URI_BYTES = 8192;

/** Schemas of 2025-11-25 check this member of `_meta` wherever it stands. */
const RELATED_TASK = "io.modelcontextprotocol/related-task";

const encoder = new TextEncoder();

/**
 * Integers that JSON gives back as they came, and text that does: half a surrogate pair leaves as U+FFFD. An SDK
 * refuses some of the rest, and a client would not know its own id.
 */
function isRequestId(value: unknown): value is RequestId {
  return typeof value === "string" ? value.isWellFormed() : Number.isSafeInteger(value);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isLonger(text: string, bytes: number): boolean {
  if (text.length > bytes) return true;
  return text.length * 3 > bytes && encoder.encode(text).length > bytes;
}

/**
 * Why a message is refused; undefined where it may pass.
 * @param maxInitializeBytes the most that the params of `initialize` may have: they are kept with the session
 */
export function faultOf(value: unknown, maxInitializeBytes: number): failures.Failure | undefined {
  if (!isObject(value)) return failures.invalidRequest("the body is not a JSON-RPC 2.0 message");
  if (value["jsonrpc"] !== "2.0") return failures.invalidRequest('jsonrpc must be "2.0"');
  return isGiven(value["method"]) ? callFault(value, maxInitializeBytes) : responseFault(value);
}

function callFault(value: JsonObject, maxInitializeBytes: number): failures.Failure | undefined {
  const { method, params, id } = value;
  if (typeof method !== "string") return failures.invalidRequest("method must be a string");
  // A null id is no notification: whoever sent it waits for an answer.
  if (id !== undefined) {
    const fault = idFault(id);
    if (fault !== undefined) return fault;
  }
  for (const twin of ["result", "error"]) {
    if (isGiven(value[twin])) return failures.invalidRequest(`${twin} must not stand beside method`);
  }
  if (params === undefined) return undefined;
  if (!isObject(params)) return failures.invalidRequest("params must be an object");
  return metaFault(params, "params", failures.invalidParams) ?? sizeFault(method, params, maxInitializeBytes);
}

function responseFault(value: JsonObject): failures.Failure | undefined {
  const { id, result, error } = value;
  if (isGiven(error)) {
    if (isGiven(result)) return failures.invalidRequest("result and error must not stand side by side");
    if (!isObject(error)) return failures.invalidRequest("error must be an object");
    if (!Number.isSafeInteger(error["code"])) return failures.invalidRequest("error.code must be an integer");
    if (typeof error["message"] !== "string")
      return failures.invalidRequest("error.message must be a string");
    // An error about a message whose id could not be read has none.
    return isGiven(id) ? idFault(id) : undefined;
  }
  if (result === undefined) {
    return failures.invalidRequest("the message must have a method, a result or an error");
  }
  if (!isObject(result)) return failures.invalidRequest("result must be an object");
  return idFault(id) ?? metaFault(result, "result", failures.invalidRequest);
}

function idFault(id: unknown): failures.Failure | undefined {
  if (!isRequestId(id)) {
    return failures.invalidRequest(
      "id must be a string without half surrogates, or an integer of at most 2^53 - 1",
    );
  }
  if (typeof id === "string" && isLonger(id, MAX_ID_BYTES)) {
    return failures.invalidRequest(`id must have at most ${MAX_ID_BYTES} bytes`);
  }
  return undefined;
}

function metaFault(
  { _meta: meta }: JsonObject,
  path: string,
  refuse: (why: string) => failures.Failure,
): failures.Failure | undefined {
  if (meta === undefined) return undefined;
  if (!isObject(meta)) return refuse(`${path}._meta must be an object`);
  const { progressToken: token, [RELATED_TASK]: task } = meta;
  if (token !== undefined) {
    const at = `${path}._meta.progressToken`;
    if (!isRequestId(token))
      return refuse(`${at} must be a string without half surrogates, or an integer of at most 2^53 - 1`);
    if (typeof token === "string" && isLonger(token, MAX_ID_BYTES)) {
      return refuse(`${at} must have at most ${MAX_ID_BYTES} bytes`);
    }
  }
  if (task !== undefined && (!isObject(task) || typeof task["taskId"] !== "string")) {
    return refuse(`${path}._meta["${RELATED_TASK}"] must be an object with a string taskId`);
  }
  return undefined;
}

/** What is kept beyond the call has a size of its own, below that of a body. */
function sizeFault(
  method: string,
  params: JsonObject,
  maxInitializeBytes: number,
): failures.Failure | undefined {
  switch (method) {
    case "initialize":
      return initializeFault(params, maxInitializeBytes);
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return uriFault(params["uri"], "params.uri");
    case "subscriptions/listen": {
      const filter = params["notifications"];
      const uris = isObject(filter) ? filter["resourceSubscriptions"] : undefined;
      if (!Array.isArray(uris)) return undefined;
      const index = uris.findIndex((uri) => uriFault(uri, "") !== undefined);
      return uriFault(uris[index], `params.notifications.resourceSubscriptions[${index}]`);
    }
    default:
      return undefined;
  }
}

function uriFault(uri: unknown, path: string): failures.Failure | undefined {
  if (typeof uri !== "string" || !isLonger(uri, MAX_URI_BYTES)) return undefined;
  return failures.invalidParams(`${path} must have at most ${MAX_URI_BYTES} bytes`);
}

function initializeFault(params: JsonObject, limit: number): failures.Failure | undefined {
  return isLonger(JSON.stringify(params), limit) ? failures.initializeTooLarge(limit) : undefined;
}

/**
 * The message anew, of the members that mean something: an unknown one, or a null beside its twin, is left behind.
 * By literals: objects of one shape each.
 */
export function rebuilt({ id, method, params, result, error }: JsonObject): JsonRpcMessage {
  let message: object;
  if (typeof method === "string") {
    if (id === undefined) {
      message = params === undefined ? { jsonrpc: "2.0", method } : { jsonrpc: "2.0", method, params };
    } else if (params === undefined) message = { jsonrpc: "2.0", id, method };
    else message = { jsonrpc: "2.0", id, method, params };
  } else if (!isObject(error)) message = { jsonrpc: "2.0", id, result };
  else if (id === undefined) message = { jsonrpc: "2.0", error: rebuiltError(error) };
  else message = { jsonrpc: "2.0", id, error: rebuiltError(error) };
  return message as JsonRpcMessage;
}

function rebuiltError({ code, message, data }: JsonObject): JsonRpcErrorObject {
  const error = { code, message } as JsonRpcErrorObject;
  if (data !== undefined) error.data = data;
  return error;
}

/**
 * The id to refuse a message under: that of what is, or is meant as, a request. An answer's id is the server's,
 * and would name another request of the client's.
 */
export function requestIdOf(value: unknown): RequestId | null {
  if (!isObject(value)) return null;
  const { id, method, result, error } = value;
  if (!isGiven(method) && (isGiven(result) || isGiven(error))) return null;
  // A fraction is no id in MCP, and yet what its sender waits for.
  if (typeof id === "number") return Math.abs(id) <= Number.MAX_SAFE_INTEGER ? id : null;
  return typeof id === "string" && idFault(id) === undefined ? id : null;
}

/**
 * The id of a request of which the beginning is known: clients that must have it back write it first.
 * Null where it does not stand before `params`.
 */
export function peekRequestId(head: string): RequestId | null {
  const start =
    /^\uFEFF?\s*\{((?:\s*"(?:jsonrpc|method)"\s*:\s*"(?:[^"\\]|\\.)*"\s*,)*)\s*"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)\s*,\s*("(?:method|params)"\s*:)?/.exec(
      head,
    );
  if (start === null) return null;
  const [, before = "", id = "", after] = start;
  // Not an answer: that has neither.
  if (after === undefined && !before.includes('"method"')) return null;
  try {
    return requestIdOf({ id: JSON.parse(id), method: "" });
  } catch {
    return null;
  }
}
