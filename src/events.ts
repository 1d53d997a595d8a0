/**
 * Structured events: what operators see of the transport's life. Payloads never appear, and session ids
 * are cut to eight characters.
 * @module
 */

/** The least level of the events that are logged; `silent` logs none. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** All of {@link DisconnectReason}. */
export const DISCONNECT_REASONS = [
  "client",
  "done",
  "timeout",
  "failures",
  "replaced",
  "closed",
  "overflow",
  "deleted",
  "lost",
  "shutdown",
  "expired",
] as const;

/**
 * Why a client's connection ended: the client left; the stream was complete; it reached its age; its
 * reader stalled or its keepalives failed; another connection took the stream over; the server asked
 * for it; more was sent than could be kept; the session was deleted; the session could not be reached
 * again; the process is shutting down; the token that opened it ran out.
 */
export type DisconnectReason = (typeof DISCONNECT_REASONS)[number];

/** True for a reason of the list: what came from elsewhere is asked before it is passed on. */
export function isDisconnectReason(text: string | undefined): text is DisconnectReason {
  return (DISCONNECT_REASONS as readonly (string | undefined)[]).includes(text);
}

/**
 * How a call ended: with its result; with a result that its tool marks as an error; cut off by a restart, or by its
 * server's end; cancelled by its client; turned away without having been run; or, a number, with a JSON-RPC error of
 * this code.
 */
export type Outcome = "ok" | "tool-error" | "interrupted" | "cancelled" | "refused" | number;

/** Which call: what is told of it as it begins, and as it ends. */
export interface CallEvent {
  /** The same as it begins and as it ends, and of no other call. */
  readonly call: string;
  /** The JSON-RPC method; undefined for a call of which an earlier isolate knew more. */
  readonly method: string | undefined;
  /** Of the tool or prompt, or the resource's URI. */
  readonly name: string | undefined;
  /** Undefined for a call that belongs to none. */
  readonly session: string | undefined;
  /** As the server's factory is told: of a session, of a request that names none, of 2026-07-28; or a task's own call. */
  readonly era: "session" | "request" | "modern" | "task";
  readonly transport: "streamable" | "http+sse";
  /** The protocol revision; undefined where the client has not said one. */
  readonly version: string | undefined;
  /** A mark of the principal: the same for the same, and not to be read back; undefined without `authorize`. */
  readonly principal: string | undefined;
  readonly client: string | undefined;
  readonly clientVersion: string | undefined;
  /** 1, unless it runs again after a restart. */
  readonly attempts: number;
}

/** A call as it begins. */
export interface StartedCall extends CallEvent {
  /** The client's id of the request; cut, control characters escaped. */
  readonly requestId: string;
  /** The span that it belongs to at its client (W3C Trace Context): of its `_meta`, else of its headers. */
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  /** What `onCall` had kept of an earlier attempt. */
  readonly first: string | undefined;
}

/** A call as it ends. */
export interface EndedCall extends CallEvent {
  readonly outcome: Outcome;
  /** Milliseconds from where it was handed to its server; 0 for a call that was not. */
  readonly ms: number;
  /** Answered on a stream; else at once, as JSON. */
  readonly streamed: boolean;
  /** Characters of the answer. */
  readonly bytes: number;
}

/** Fields of each event, by name. `session` is the first eight characters of the session id. */
export interface EventFields {
  /** A stream was asked for. */
  "connection.establishing": {
    connectionId: string;
    clientIp: string | undefined;
    userAgent: string | undefined;
  };
  /** The session accepted it. */
  "connection.setup": { connectionId: string; session: string; resumed: boolean };
  /** The client took the first bytes. */
  "connection.established": { connectionId: string };
  "keepalive.start": { connectionId: string; intervalMs: number; maxStreamMs: number };
  "ping.sent": { connectionId: string; pingCount: number };
  "ping.failed": { connectionId: string; consecutiveFailures: number };
  "connection.max_failures": { connectionId: string; failures: number };
  "connection.force_close": { connectionId: string; reason: DisconnectReason };
  /** How the end of a client was noticed. */
  "connection.closed_detected": { connectionId: string; by: "cancel" | "signal" | "write" };
  "connection.timeout": { connectionId: string; durationMs: number };
  "connection.spin_detected": { connectionId: string; count: number; elapsedMs: number };
  /** The link to the session broke and was dialled again; the client saw nothing. */
  "connection.redialled": { connectionId: string; attempts: number };
  "connection.closed": {
    connectionId: string;
    reason: DisconnectReason;
    durationMs: number;
    framesSent: number;
  };
  "cleanup.timeout": { connectionId: string; afterMs: number };
  /** A hook of the user's threw, or its promise was rejected. */
  "hook.error": { hook: string; message: string; stack: string | undefined };
  "send.error": { session: string | undefined; message: string };
  /** Events were dropped from a session's logs before any client is known to have had them; told once in a second. */
  "queue.overflow": { session: string; dropped: number; held: number };
  /** A client resumed from events that are no longer held. */
  "replay.gap": { session: string; missed: number };
  /** A client answered a request that nobody waits for any more. */
  "orphan.response": { session: string };
  /** The link to the hub broke and was dialled again; listeners saw nothing but a delay. */
  "listen.redialled": { topic: string; attempts: number };
  /** The hub could not be dialled, once more: listeners hear nothing until it can. */
  "listen.link_failed": { topic: string; attempts: number; message: string };
  /** Changes were published that the hub no longer held when the link was dialled again: listeners missed them. */
  "listen.gap": { topic: string; missed: number };
  /** Changes could not be handed to the hub, and nobody hears of them. */
  "listen.publish_failed": { topic: string; changes: number; message: string };
  /** A session could not ask the hub for changes. */
  "listen.watch_failed": { topic: string; session: string; message: string };
  /** The processes' database cannot be reached, or does not answer: told once, until it has. What has to be stored waits. */
  "cluster.unreachable": { message: string };
  /** This process has joined the others, as a node of its own; after it lost its lease as another. */
  "cluster.joined": { node: string; address: string };
  /** This process has ended another's lease: it did not renew it (`expired`), or nobody listens at its address (`refused`). */
  "cluster.fenced": { node: string; address: string; reason: "expired" | "refused" };
  /**
   * This process lets go of all its sessions, for others to take them: its lease was ended (`fenced`), or the database
   * holds less than it has acknowledged (`lost`): a standby that lagged took its place, and the last moments are gone.
   */
  "cluster.left": { node: string; reason: "fenced" | "lost"; sessions: number };
  /** A request to another process broke, or was not answered in time. */
  "cluster.forward_failed": { node: string; what: string; message: string };
  "session.created": { session: string; kind: "streamable" | "http+sse" };
  /** A server instance took the place of an earlier isolate's. */
  "session.rehydrated": { session: string };
  /** Calls were in flight when the isolate died. */
  "session.interrupted": { session: string; calls: number };
  /** The session's server could not be built, connected or brought to where the last one stood, in time. */
  "session.start_failed": { session: string; message: string; stack: string | undefined };
  /** The session's server closed its own transport; the calls in flight were answered, the next message starts another. */
  "session.server_closed": { session: string | undefined; calls: number };
  /** A call is handed to its server. */
  "call.started": StartedCall;
  /** A call has been answered, or will not be: once for each that began, but for those that die with their isolate. */
  "call.ended": EndedCall;
  /** A tool threw: its client is told `reference`, or, as `toolErrors` says, the message; never the stack. */
  "tool.threw": {
    session: string | undefined;
    tool: string | undefined;
    message: string;
    stack: string | undefined;
    reference: string | undefined;
  };
  /** The session's server reported an error of its own: a message that its SDK dropped, an answer that it could not send. */
  "server.error": { session: string | undefined; message: string };
  /**
   * A call was answered with an error in the server's place: what it answered cannot be written as JSON, it did
   * not answer in time, or it did not take the request. `session` is undefined in 2026-07-28.
   */
  "call.failed": {
    session: string | undefined;
    method: string;
    tool: string | undefined;
    reason: "unserialisable" | "timeout" | "not-taken";
    message: string;
  };
  /** A server took an earlier one's place that says something else of itself: a deploy, of which the client is told. */
  "session.server_changed": { session: string };
  /** A session whose time was up was taken up again under its own id. */
  "session.revived": { session: string };
  "session.rotated": { session: string; successor: string };
  "session.expired": { session: string; provisional: boolean; durationMs: number };
  "session.terminated": { session: string; durationMs: number };
  /** A connection is fed from this stream from now on; `redialled` where it is the link of one that its client still holds. */
  "stream.attached": { session: string; stream: string; connectionId: string; redialled: boolean };
  /** It is no more. Undefined is the reason of what broke off, or left without a word of why. */
  "stream.detached": {
    session: string;
    stream: string;
    connectionId: string;
    reason: DisconnectReason | undefined;
  };
  /** A client came back to a stream, and is sent again what it had not got. */
  "stream.resumed": { session: string; connectionId: string; replayed: number };
  /** A call has become a task: at once, or as it took long. `task` is cut as session ids are. */
  "task.created": { task: string; tool: string | undefined };
  /** A task was with a server as its isolate died; `again` where its call runs once more, else it has failed. */
  "task.interrupted": { task: string; attempt: number; again: boolean };
  "task.ended": { task: string; status: "completed" | "failed" | "cancelled" };
  /** A task's time was up, and nothing of it is kept; what it was until then. */
  "task.expired": { task: string; status: string };
  /** Callers are turned away by the limit that this option sets: how many since it was last told. */
  "limit.reached": { limit: string; value: number; refused: number };
  /** The local host has no database file. */
  "storage.memory": { message: string };
  /** A session was stored by a later version, which alone can read it: it is left as it is. */
  "storage.newer": { session: string; found: number; known: number };
  /** The database file is gone, and this process goes on without. */
  "storage.lost": { message: string };
  /**
   * What another isolate sent is of a version that this code does not read, or does not fit it. Nothing of it
   * was acted upon; who sent it comes again. `at` is who could not read it, `what` the call, reply, frame or
   * attachment.
   */
  "wire.unreadable": { at: "edge" | "session" | "hub"; what: string; version: number; message: string };
  /** A request met an error that no rule foresaw, and was answered 500. */
  "request.error": { method: string; message: string; stack?: string | undefined };
  /** The server cannot work as it is set up: what is wrong, and what to do. Told once in an isolate. */
  "setup.error": { message: string };
  /** A variable that looks like a setting and is none. */
  "setup.unknown_variable": { message: string };
  request: {
    method: string;
    session: string | undefined;
    status: number;
    /**
     * The HTTP status (429, 503) of a refusal that was not answered with it: requests that only came at the wrong moment
     * are answered 200, and over HTTP+SSE 202, with a JSON-RPC error.
     */
    refused: number | undefined;
    contentType: string | undefined;
    accept: string | undefined;
  };
}

/** The level of each event that is not `info`. */
const LEVELS: { readonly [Name in keyof EventFields]?: Exclude<LogLevel, "silent"> } = {
  // A stream's opening is one line: `connection.setup`.
  "connection.establishing": "debug",
  "connection.established": "debug",
  "keepalive.start": "debug",
  "ping.sent": "debug",
  "ping.failed": "warn",
  "connection.spin_detected": "error",
  "cleanup.timeout": "warn",
  "hook.error": "warn",
  "send.error": "warn",
  "queue.overflow": "warn",
  "replay.gap": "warn",
  "orphan.response": "warn",
  "listen.link_failed": "warn",
  "listen.gap": "warn",
  "listen.publish_failed": "error",
  "listen.watch_failed": "warn",
  "limit.reached": "warn",
  "cluster.unreachable": "error",
  "cluster.fenced": "warn",
  "cluster.left": "error",
  "cluster.forward_failed": "warn",
  "session.interrupted": "warn",
  "session.start_failed": "error",
  "session.server_closed": "warn",
  "server.error": "warn",
  "call.failed": "warn",
  "call.started": "debug",
  "tool.threw": "warn",
  "stream.attached": "debug",
  "stream.detached": "debug",
  "stream.resumed": "debug",
  "task.interrupted": "warn",
  "storage.lost": "error",
  "storage.memory": "warn",
  "storage.newer": "error",
  "wire.unreadable": "warn",
  "request.error": "error",
  "setup.error": "error",
  "setup.unknown_variable": "warn",
  request: "debug",
};

/** One structured event; `type` tells which fields it has. */
export type HoldfastEvent = {
  [Name in keyof EventFields]: {
    readonly type: Name;
    readonly level: Exclude<LogLevel, "silent">;
    /** Milliseconds since 1970. */
    readonly time: number;
  } & Readonly<EventFields[Name]>;
}[keyof EventFields];

/** Reports an event; never throws. */
export interface EventSink {
  /** Fields that cost something to gather are a function, called if anybody listens. */
  <Name extends keyof EventFields>(type: Name, fields: EventFields[Name] | (() => EventFields[Name])): void;
  /** Whether anybody hears of such events: who would have to gather them need not. One that does not say hears all. */
  hears?(type: keyof EventFields): boolean;
}

/** The level of an event. */
export function levelOf(type: keyof EventFields): Exclude<LogLevel, "silent"> {
  return LEVELS[type] ?? "info";
}
