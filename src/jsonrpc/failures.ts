/**
 * Every way a message can be turned away, in one place: the HTTP status, the JSON-RPC code, and a
 * message that says what was wrong and what to do.
 * @module
 */
import type { JsonRpcErrorObject, JsonRpcResponse, RequestId } from "./messages.ts";

/** A message that was turned away. Never thrown: returned, so that each caller decides what it becomes. */
export interface Failure {
  /** HTTP status of the answer. */
  readonly status: number;
  readonly error: JsonRpcErrorObject;
  /** Further response headers, such as `Allow` or `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const CODE = {
  parseError: -32700,
  invalidRequest: -32600,
  internalError: -32603,
  /** Implementation-defined: the transport refused the request (the official SDKs use the same). */
  refused: -32000,
  sessionNotFound: -32001,
  /** 2026-07-28, "Error codes". */
  unsupportedProtocolVersion: -32022,
} as const;

const RETRY_SOON = { "Retry-After": "1" };

type Headers = Readonly<Record<string, string>>;

function failure(status: number, code: number, message: string, headers?: Headers, data?: unknown): Failure {
  const error: JsonRpcErrorObject = { code, message };
  if (data !== undefined) error.data = data;
  return { status, error, headers };
}

const refused = (status: number, message: string, headers?: Headers): Failure =>
  failure(status, CODE.refused, message, headers);

export const parseError: Failure = failure(400, CODE.parseError, "Parse error: the body is not JSON");

export const invalidRequest = (why: string): Failure =>
  failure(400, CODE.invalidRequest, `Invalid Request: ${why}`);

export const missingSessionId: Failure = refused(
  400,
  "Bad Request: Mcp-Session-Id header is required; start with initialize",
);

export const missingSessionIdOnDelete: Failure = invalidRequest("Missing mcp-session-id header");

export const malformedSessionId: Failure = invalidRequest(
  "the session id is malformed (1 to 128 of A-Z a-z 0-9 _ -)",
);

export const missingLegacySessionId: Failure = refused(
  400,
  "Bad Request: the sessionId query parameter is required",
);

export const alreadyInitialized: Failure = invalidRequest(
  "Server already initialized; send initialize without Mcp-Session-Id for a new session",
);

export const batchNotSupported = (version: string): Failure =>
  invalidRequest(`protocol version ${version} has no batches`);

export const unsupportedProtocolVersion = (requested: string, supported: readonly string[]): Failure =>
  failure(
    400,
    CODE.unsupportedProtocolVersion,
    `Bad Request: Unsupported protocol version: ${requested} (supported versions: ${supported.join(", ")})`,
    undefined,
    { supported, requested },
  );

export const unknownEventId: Failure = refused(
  400,
  "Bad Request: Last-Event-ID names no event that this session holds; reconnect without it",
);

/**
 * The answer to a resume from the end of a complete stream. It is the one that makes EventSource and the
 * SDK clients stop asking: SDK v1 takes no error for an answer, and would come back for more for ever.
 */
export const nothingLeft: Failure = refused(204, "No Content: this stream is complete");

export const unauthorized: Failure = refused(401, "Unauthorized", {
  "WWW-Authenticate": "Bearer",
});

/** @param challenge the value of `WWW-Authenticate` */
export const invalidToken = (why: string, challenge: string): Failure =>
  refused(401, `Unauthorized: ${why}`, { "WWW-Authenticate": challenge });

/** Credentials presented in a way that no client may use (RFC 6750 section 3.1, `invalid_request`). */
export const badCredentials = (why: string, challenge: string): Failure =>
  refused(400, `Bad Request: ${why}`, { "WWW-Authenticate": challenge });

export const insufficientScope = (challenge: string): Failure =>
  refused(403, "Forbidden: the access token lacks a scope that this needs", {
    "WWW-Authenticate": challenge,
  });

/** Neither yes nor no: a client that is told 401 would throw a good token away. */
export const credentialsUnjudged = (): Failure =>
  refused(503, "Service Unavailable: the credentials could not be checked; try again", RETRY_SOON);

export const forbiddenOrigin: Failure = refused(403, "Forbidden: this Origin is not allowed");

/** Exactly this message: clients match on it. */
export const sessionNotFound: Failure = failure(404, CODE.sessionNotFound, "Session not found");

export const methodNotAllowed = (allow: string): Failure =>
  refused(405, "Method Not Allowed", { Allow: allow });

export const notAcceptable = (types: string): Failure =>
  refused(406, `Not Acceptable: the client must accept ${types}`);

export const bodyTooLarge = (limit: number): Failure =>
  refused(413, `Payload Too Large: the body exceeds ${limit} bytes`);

export const unsupportedMediaType: Failure = refused(
  415,
  "Unsupported Media Type: Content-Type must be application/json",
);

export const tooManyRequests = (limit: number): Failure =>
  refused(429, `Too Many Requests: ${limit} requests are already in flight in this session`, RETRY_SOON);

export const internalError: Failure = failure(500, CODE.internalError, "Internal error");

export const notReady: Failure = refused(
  503,
  "Service Unavailable: the session's server did not start; try again",
  RETRY_SOON,
);

export const unreachable: Failure = refused(
  503,
  "Service Unavailable: the session could not be reached; try again",
  RETRY_SOON,
);

/** The JSON-RPC error response for a failure; `id` is null where no request can be named. */
export function errorBody(error: JsonRpcErrorObject, id: RequestId | null = null): string {
  return JSON.stringify({ jsonrpc: "2.0", error, id });
}

function errorResponse(id: RequestId, code: number, message: string, data?: object): JsonRpcResponse {
  return { jsonrpc: "2.0", id, error: failure(200, code, message, undefined, data).error };
}

/**
 * What a call gets whose isolate died before it answered: one clear error instead of silence.
 * `retryable` is true where running the request again can do no harm.
 */
export function interrupted(id: RequestId, retryable: boolean): JsonRpcResponse {
  const message = "The request was interrupted by a restart of the server";
  return errorResponse(id, CODE.internalError, message, { reason: "interrupted", retryable });
}

/** The answer in place of a result that is larger than the transport carries. */
export function tooLarge(id: RequestId, bytes: number, limit: number): JsonRpcResponse {
  const message = `The result has ${bytes} bytes; at most ${limit} can be sent (maxEventBytes)`;
  return errorResponse(id, CODE.internalError, message, { reason: "too-large" });
}

/** The answer to a request that would make the session keep more than it may. */
export function limitReached(id: RequestId, what: string, limit: number): JsonRpcResponse {
  return errorResponse(id, CODE.invalidRequest, `This session holds at most ${limit} ${what}`);
}

/** The answer to a request that was in flight when its session was deleted. */
export function sessionEnded(id: RequestId): JsonRpcResponse {
  const message = "The session was ended while the request was in flight";
  return errorResponse(id, CODE.refused, message, { reason: "session-ended" });
}
