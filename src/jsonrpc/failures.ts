/**
 * Every way a message can be turned away, in one place: the HTTP status, the JSON-RPC code, and a
 * message that says what was wrong and what to do. Callers import this file alone: with it come what a failure is
 * (`failure.ts`), those of listeners and tasks (`modern-failures.ts`), and the errors of calls that were taken
 * (`call-errors.ts`).
 * @module
 */
import { CODE, type Failure, failure, notNow, refused, RETRY_LATER, RETRY_SOON } from "./failure.ts";

export * from "./call-errors.ts";
export * from "./modern-failures.ts";
export { errorBody, type Failure, METHOD_NOT_FOUND, notNowBody } from "./failure.ts";

/** 400, JSON-RPC 2.0 "Parse error". */
export const parseError: Failure = failure(400, {
  code: CODE.parseError,
  message: "Parse error: the body is not JSON",
});

/** 400, the same for nothing at all, or for what is not there any more. */
export const noBody: Failure = failure(400, {
  code: CODE.parseError,
  message: "Parse error: there is no body; was it read before it came here, as express.json() does?",
});

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

/** 404, at the mount itself: the client was given the wrong URL; `url` is the right one. */
export const endpointElsewhere = (url: string): Failure =>
  refused(404, `Not Found: MCP is served at ${url}, below where the router is mounted`);

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
