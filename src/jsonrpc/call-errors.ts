/** What a call that was taken is answered with in place of what its server would have said. @module */
import { CODE } from "./failure.ts";
import type { JsonRpcErrorObject, JsonRpcResponse, RequestId } from "./messages.ts";

function errorResponse(id: RequestId, error: JsonRpcErrorObject): JsonRpcResponse {
  return { jsonrpc: "2.0", id, error };
}

/**
 * What a call gets whose isolate died before it answered: one clear error instead of silence.
 * `retryable` is true where running the request again can do no harm.
 */
export function interrupted(id: RequestId, retryable: boolean): JsonRpcResponse {
  const message = "The request was interrupted by a restart of the server";
  return errorResponse(id, { code: CODE.internalError, message, data: { reason: "interrupted", retryable } });
}

/** The answer in place of a result that is larger than the transport carries. */
export function tooLarge(id: RequestId, bytes: number, limit: number): JsonRpcResponse {
  const message = `The result has ${bytes} bytes; at most ${limit} can be sent (maxEventBytes)`;
  return errorResponse(id, { code: CODE.internalError, message, data: { reason: "too-large" } });
}

/** The answer in place of one that cannot be written as JSON: a BigInt, a cycle, a `toJSON` that throws, nothing at all. */
export function unserialisable(id: RequestId): JsonRpcResponse {
  const message = "The server's answer cannot be written as JSON";
  return errorResponse(id, { code: CODE.internalError, message, data: { reason: "unserialisable" } });
}

/** The answer to a call that its server did not answer in time (`maxCallMs`; `initializeTimeoutMs` for `initialize`). */
export function timedOut(id: RequestId): JsonRpcResponse {
  const message = "The server did not answer in time; the call was cancelled";
  return errorResponse(id, { code: CODE.internalError, message, data: { reason: "timeout" } });
}

/** The answer to a request that the server's SDK dropped, or that its transport handler threw over. */
export function notTaken(id: RequestId): JsonRpcResponse {
  const message = "Invalid Request: the server did not take the message";
  return errorResponse(id, { code: CODE.invalidRequest, message, data: { reason: "not-taken" } });
}

/** The answer in place of one that could not be stored when the server gave it. */
export function lost(id: RequestId): JsonRpcResponse {
  return errorResponse(id, {
    code: CODE.internalError,
    message: "The server's answer could not be stored",
    data: { reason: "lost" },
  });
}

/** The answer to a request that would make the session keep more than it may. */
export function limitReached(id: RequestId, what: string, limit: number): JsonRpcResponse {
  return errorResponse(id, {
    code: CODE.invalidRequest,
    message: `This session holds at most ${limit} ${what}`,
  });
}

/** The answer to what a server asks of a client that it cannot ask: the request that it serves came without a session. */
export function clientUnreachable(id: RequestId): JsonRpcResponse {
  const message = "The client cannot be asked: its request came without a session";
  return errorResponse(id, { code: CODE.refused, message, data: { reason: "no-session" } });
}

/** The answer to a subscription, in any era, of which nothing would be heard: the hub cannot be reached, or is full. */
export function notWatched(id: RequestId): JsonRpcResponse {
  const message = "Changes cannot be listened for at the moment; try again";
  return errorResponse(id, { code: CODE.internalError, message, data: { reason: "not-watched" } });
}

/** The code of {@link sessionEnded}. */
export const SESSION_ENDED: number = CODE.refused;

/** The answer to a request that was in flight when its session was deleted. */
export function sessionEnded(id: RequestId): JsonRpcResponse {
  const message = "The session was ended while the request was in flight";
  return errorResponse(id, { code: CODE.refused, message, data: { reason: "session-ended" } });
}
