/**
 * Every way a message can be turned away, in one place: the HTTP status, the JSON-RPC code, and a
 * message that says what was wrong and what to do.
 * @module
 */
import type { JsonRpcErrorObject, JsonRpcResponse, RequestId } from "./messages.ts";
import { toWire } from "./wire.ts";

/** A message that was turned away. Never thrown: returned, so that each caller decides what it becomes. */
export interface Failure {
  /** HTTP status of the answer. */
  readonly status: number;
  readonly error: JsonRpcErrorObject;
  /** Further response headers, such as `Allow` or `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * Set where nothing is wrong with the message but the moment: milliseconds after which the same one may be taken.
   * A request hears of it as its answer, without an HTTP error, which some clients do not survive (`turnedAway`).
   */
  readonly retryAfterMs?: number | undefined;
}

/** The code with which a server says that it has no such method. */
export const METHOD_NOT_FOUND = -32601;

const CODE = {
  parseError: -32700,
  invalidRequest: -32600,
  invalidParams: -32602,
  internalError: -32603,
  /** Implementation-defined: the transport refused the request (the official SDKs use the same). */
  refused: -32000,
  sessionNotFound: -32001,
  /** 2026-07-28, "Error codes". */
  missingCapability: -32021,
  unsupportedProtocolVersion: -32022,
} as const;

const RETRY_SOON = 1000;
/** Sessions end by the minute at best, not by the second. */
const RETRY_LATER = 60_000;

type Headers = Readonly<Record<string, string>>;

const failure = (status: number, error: JsonRpcErrorObject, headers?: Headers): Failure => ({
  status,
  error,
  headers,
});

const refused = (status: number, message: string, headers?: Headers): Failure =>
  failure(status, { code: CODE.refused, message }, headers);

/** For want of room, of time, or of a server: the message may come again. */
const notNow = (status: 429 | 503, message: string, retryAfterMs: number): Failure => ({
  ...refused(status, message, { "Retry-After": String(retryAfterMs / 1000) }),
  retryAfterMs,
});

/** 400, JSON-RPC 2.0 "Parse error". */
export const parseError: Failure = failure(400, {
  code: CODE.parseError,
  message: "Parse error: the body is not JSON",
});

/** 400: what nests so deep could be parsed, and neither stored nor handed on. */
export const nestsTooDeep = (most: number): Failure =>
  invalidRequest(`the message nests deeper than ${most} levels`);

/** 400, JSON-RPC 2.0 "Invalid Request": the message is not of the protocol. */
export const invalidRequest = (why: string): Failure =>
  failure(400, { code: CODE.invalidRequest, message: `Invalid Request: ${why}` });

/** 400, JSON-RPC 2.0 "Invalid params". */
export const invalidParams = (why: string): Failure =>
  failure(400, { code: CODE.invalidParams, message: `Invalid params: ${why}` });

/** @param entry which one of the batch is at fault, counted from 1 */
export function inBatch({ status, error }: Failure, entry: number): Failure {
  const message = `${error.message} (message ${entry} of the batch, of which nothing was run)`;
  return failure(status, { code: error.code, message });
}

/** 413: the params of `initialize` are kept with the session; `limit` in bytes. */
export const initializeTooLarge = (limit: number): Failure =>
  refused(
    413,
    `Payload Too Large: the params of initialize exceed ${limit} bytes (maxInitializeBytes); clients send icons as URLs`,
  );

/** 400: a session's request without its id (2025-11-25, "Session Management"). */
export const missingSessionId: Failure = refused(
  400,
  "Bad Request: Mcp-Session-Id header is required; start with initialize",
);

/** 400: a DELETE that names no session. */
export const missingSessionIdOnDelete: Failure = invalidRequest("Missing mcp-session-id header");

/** 400: an id that no session can have. */
export const malformedSessionId: Failure = invalidRequest(
  "the session id is malformed (1 to 128 of A-Z a-z 0-9 _ -)",
);

/** 400: a POST of HTTP+SSE that names no session in its query. */
export const missingLegacySessionId: Failure = refused(
  400,
  "Bad Request: the sessionId query parameter is required",
);

/** 400: a second `initialize` in one session. */
export const alreadyInitialized: Failure = invalidRequest(
  "Server already initialized; send initialize without Mcp-Session-Id for a new session",
);

/** 400: a batch in a version that has none (2025-06-18, changelog). */
export const batchNotSupported = (version: string): Failure =>
  invalidRequest(`protocol version ${version} has no batches`);

/** 400: a version that is not served; its `data` lists those that are, as 2026-07-28 wants it. */
export const unsupportedProtocolVersion = (requested: string, supported: readonly string[]): Failure =>
  failure(400, {
    code: CODE.unsupportedProtocolVersion,
    message: `Bad Request: Unsupported protocol version: ${requested} (supported versions: ${supported.join(", ")})`,
    data: { supported, requested },
  });

/** 400: a resume from an event id that this session never gave out. */
export const unknownEventId: Failure = refused(
  400,
  "Bad Request: Last-Event-ID names no event that this session holds; reconnect without it",
);

/**
 * The answer to a resume from the end of a complete stream. It is the one that makes EventSource and the
 * SDK clients stop asking: SDK v1 takes no error for an answer, and would come back for more for ever.
 */
export const nothingLeft: Failure = refused(204, "No Content: this stream is complete");

/** 401 without a word of what is wrong, for an `authorize` that returns nothing. */
export const unauthorized: Failure = refused(401, "Unauthorized", {
  "WWW-Authenticate": "Bearer",
});

/** @param challenge the value of `WWW-Authenticate` */
export const invalidToken = (why: string, challenge: string): Failure =>
  refused(401, `Unauthorized: ${why}`, { "WWW-Authenticate": challenge });

/** Credentials presented in a way that no client may use (RFC 6750 section 3.1, `invalid_request`). */
export const badCredentials = (why: string, challenge: string): Failure =>
  refused(400, `Bad Request: ${why}`, { "WWW-Authenticate": challenge });

/** 403 (RFC 6750 section 3.1, `insufficient_scope`); `challenge` is the value of `WWW-Authenticate`. */
export const insufficientScope = (challenge: string): Failure =>
  refused(403, "Forbidden: the access token lacks a scope that this needs", {
    "WWW-Authenticate": challenge,
  });

/** Neither yes nor no: a client that is told 401 would throw a good token away. */
export const credentialsUnjudged = (): Failure =>
  notNow(503, "Service Unavailable: the credentials could not be checked; try again", RETRY_SOON);

/** 403: a web page from elsewhere (2025-11-25, "Security Warning": DNS rebinding). */
export const forbiddenOrigin: Failure = refused(
  403,
  "Forbidden: this Origin is not allowed; list it in allowedOrigins, or, where it is this server's own behind a proxy that ends TLS, set publicUrl",
);

/** For what a web page makes a browser send without saying from where. */
export const forbiddenCrossSite: Failure = refused(
  403,
  "Forbidden: a request from another site must name an Origin that is allowed",
);

/** 400: without a name to go by nobody can tell whose page sent it. */
export const malformedHost: Failure = invalidRequest("the Host header is missing, or is no name");

/** 403: a name that somebody else may have pointed at this server. */
export const forbiddenHost: Failure = refused(
  403,
  "Forbidden: this Host is not allowed; a name that this server is reached by is set in publicUrl or listed in allowedHosts",
);

/** What `admin` answers to a list that cannot be asked for. */
export const badQuery = (why: string): Failure => refused(400, `Bad Request: ${why}`);

/** 501: this host keeps no list of its sessions; `why` says what to set. */
export const notListed = (why: string): Failure => refused(501, `Not Implemented: ${why}`);

/** Exactly this message: clients match on it. */
export const sessionNotFound: Failure = failure(404, {
  code: CODE.sessionNotFound,
  message: "Session not found",
});

/** 405; `allow` is the value of `Allow`. */
export const methodNotAllowed = (allow: string): Failure =>
  refused(405, "Method Not Allowed", { Allow: allow });

/** 406; `types` are the media types that the client must read. */
export const notAcceptable = (types: string): Failure =>
  refused(406, `Not Acceptable: the client must accept ${types}`);

/** The connection is given up: what is left of the body may never come, and belongs to no other request. */
export const bodyTimeout = (ms: number): Failure =>
  refused(408, `Request Timeout: the body did not come within ${ms} ms`, { Connection: "close" });

/** 413; `limit` in bytes (`maxBodyBytes`, or less from strangers). */
export const bodyTooLarge = (limit: number): Failure =>
  refused(413, `Payload Too Large: the body exceeds ${limit} bytes`);

/** 415: a body that does not say that it is JSON. */
export const unsupportedMediaType: Failure = refused(
  415,
  "Unsupported Media Type: Content-Type must be application/json",
);

/** HTTP semantics, "415": the header says what would be taken. */
export const unsupportedEncoding: Failure = refused(
  415,
  "Unsupported Media Type: the body must not be compressed (Content-Encoding)",
  { "Accept-Encoding": "identity" },
);

/** 429, for a second: the session's own doing (`maxInFlight`). */
export const tooManyRequests = (limit: number): Failure =>
  notNow(429, `Too Many Requests: ${limit} requests are already in flight in this session`, RETRY_SOON);

/** The principal's own doing. */
export const tooManySessions = (limit: number): Failure =>
  notNow(
    429,
    `Too Many Requests: ${limit} sessions are open already under these credentials; end one (DELETE), or try again later`,
    RETRY_LATER,
  );

/** 503, for a minute: no more sessions, whoever asks (`maxSessions`). */
export const noPlace = (limit: number): Failure =>
  notNow(503, `Service Unavailable: ${limit} sessions are open already; try again later`, RETRY_LATER);

/** 503, for a second: all sessions in memory are at work (`maxResidents`). */
export const noMemory: Failure = notNow(
  503,
  "Service Unavailable: too many sessions are in use at the same time; try again",
  RETRY_SOON,
);

/** `subscriptions/listen`: the principal's own doing. */
export const tooManyListeners = (limit: number): Failure =>
  notNow(429, `Too Many Requests: ${limit} listeners are open already under these credentials`, RETRY_SOON);

/** 503, for a second: no more `subscriptions/listen`, whoever asks. */
export const noListenerMore: Failure = notNow(
  503,
  "Service Unavailable: too many listeners are open at the same time; try again",
  RETRY_SOON,
);

/** 413: what is listened to is kept; `limit` in bytes. */
export const listensTooLong = (limit: number): Failure =>
  refused(413, `Payload Too Large: subscriptions/listen exceeds ${limit} bytes (maxListenBytes)`);

/** 400: more resources than one listener may name. */
export const listensToTooMuch = (limit: number): Failure =>
  failure(400, {
    code: CODE.invalidParams,
    message: `Invalid params: notifications.resourceSubscriptions holds at most ${limit} resources (maxSubscriptions)`,
  });

/** 400, -32021: the client does not say that it knows this extension, without which nothing can be had (2026-07-28). */
export const missingExtension = (name: string): Failure =>
  failure(400, {
    code: CODE.missingCapability,
    message: `Missing required client capability: the client must declare the extension ${name}`,
    data: { requiredCapabilities: { extensions: { [name]: {} } } },
  });

/** -32602: no such task. Another's is not found either (SEP-2663, "Protocol Errors"). */
export const taskNotFound: Failure = failure(200, {
  code: CODE.invalidParams,
  message: "Task not found: it has expired, or there never was one of this id",
});

/** -32602: what a client answers a task's question with is no answer to it. */
export const notTheInput = (key: string, why: string): Failure =>
  failure(200, {
    code: CODE.invalidParams,
    message: `Invalid params: inputResponses[${JSON.stringify(key)}] ${why}`,
  });

/** 400: more tasks than one listener may name. */
export const listensToTooManyTasks = (limit: number): Failure =>
  failure(400, {
    code: CODE.invalidParams,
    message: `Invalid params: notifications.taskIds holds at most ${limit} ids`,
  });

/** 429, for a minute: the principal's own doing. */
export const tooManyTasks = (limit: number): Failure =>
  notNow(
    429,
    `Too Many Requests: ${limit} tasks are kept already under these credentials; try again later`,
    RETRY_LATER,
  );

/** 503, for a minute: `maxTasks`. */
export const noTaskMore = (limit: number): Failure =>
  notNow(503, `Service Unavailable: ${limit} tasks are kept already; try again later`, RETRY_LATER);

/** 503, for a second: the task's object died with the question, more than once. */
export const taskUnreachable: Failure = notNow(
  503,
  "Service Unavailable: the task could not be reached; try again",
  RETRY_SOON,
);

/** 500, JSON-RPC 2.0 "Internal error": a fault of ours, or of a hook; what it was is in an event. */
export const internalError: Failure = failure(500, { code: CODE.internalError, message: "Internal error" });

/** Of the server's own making, and as wrong the next time: nobody is told to try again. */
export const misconfigured = (what: string): Failure =>
  failure(500, { code: CODE.internalError, message: `Internal error: ${what}` });

/** The user's factory has a fault that no time mends. */
export const broken: Failure = refused(
  503,
  "Service Unavailable: the session's server cannot be built; the log of the server says why",
);

/** 503, for a second: the user's server could not be built, connected or initialised. */
export const notReady: Failure = notNow(
  503,
  "Service Unavailable: the session's server did not start; try again",
  RETRY_SOON,
);

/** 503, for a second: the session is left alone until the version that stored it is back. */
export const storedByLater: Failure = notNow(
  503,
  "Service Unavailable: the session was stored by a later version of the server; try again",
  RETRY_SOON,
);

/** 503, for a second (`maxBodyBytesInFlight`). */
export const tooManyBodies: Failure = notNow(
  503,
  "Service Unavailable: the bodies of other requests take all the room there is; try again",
  RETRY_SOON,
);

/** 503, for a second: the session's object or host answered nothing that can be used. */
export const unreachable: Failure = notNow(
  503,
  "Service Unavailable: the session could not be reached; try again",
  RETRY_SOON,
);

/** What the message has changed may have been stored, or not: no answer may say that it was. */
export const notStored: Failure = /* @__PURE__ */ notNow(
  503,
  "Service Unavailable: the database did not confirm in time what the request changed; try again",
  RETRY_SOON,
);

/** While two versions of the server are deployed side by side, and are too far apart to read each other. */
export const otherVersion: Failure = notNow(
  503,
  "Service Unavailable: a deploy is under way, and the session runs another version; try again",
  RETRY_SOON,
);

/** The JSON-RPC error response for a failure; `id` is null where no request can be named. */
export function errorBody(error: JsonRpcErrorObject, id: RequestId | null = null): string {
  return toWire({ jsonrpc: "2.0", error, id });
}

/** The error under which one request hears that it was turned away, and when it may come again, where it may. */
export function notNowBody({ error, retryAfterMs }: Failure, id: RequestId): string {
  return errorBody(retryAfterMs === undefined ? error : { ...error, data: { retryAfterMs } }, id);
}

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

/** The answer to a subscription of which nothing would be heard: the hub cannot be reached, or is full. */
export function notWatched(id: RequestId): JsonRpcResponse {
  const message = "Changes of this resource cannot be listened for at the moment; try again";
  return errorResponse(id, { code: CODE.internalError, message, data: { reason: "not-watched" } });
}

/** The code of {@link sessionEnded}. */
export const SESSION_ENDED: number = CODE.refused;

/** The answer to a request that was in flight when its session was deleted. */
export function sessionEnded(id: RequestId): JsonRpcResponse {
  const message = "The session was ended while the request was in flight";
  return errorResponse(id, { code: CODE.refused, message, data: { reason: "session-ended" } });
}
