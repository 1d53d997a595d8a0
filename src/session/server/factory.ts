/**
 * What the user gives us: a factory that builds an MCP server, and what that factory is told.
 *
 * Structural on purpose: anything with `connect(transport)` fits, so SDK v1, SDK v2 and servers of
 * other makes work, and this package imports none of them.
 * @module
 */

import type { WaitUntil } from "../../background.ts";
import type { Notifier } from "../../changes.ts";
import type { User } from "../../user/state.ts";
import type { JsonRpcMessage } from "../../jsonrpc/messages.ts";
import type { SessionTransport } from "./transport.ts";

/** Small synchronous key-value store that belongs to one session and survives restarts. Values are JSON. */
export interface SessionState {
  /** The value stored under `name`, or undefined. Each call returns a fresh copy. */
  get<T = unknown>(name: string): T | undefined;
  /** Stores a JSON-serialisable value under `name`; throws RangeError past the session's state limit. */
  set(name: string, value: unknown): void;
  /** Removes `name`; true if it was there. */
  delete(name: string): boolean;
  /** All names in use, sorted. */
  keys(): string[];
}

/** The session a server instance is built for. */
export interface SessionInfo {
  /** The value of `Mcp-Session-Id`. */
  readonly id: string;
  /** The subject that `authorize` returned when the session was opened; undefined without an `authorize` hook. */
  readonly principal: string | undefined;
  /** The user's own state for this session. */
  readonly state: SessionState;
  /** True when this instance takes over a session that an earlier isolate or process had served. */
  readonly rehydrated: boolean;
}

/** What the server factory is told: for whom, and for which era of the protocol, it builds. */
export type ServerContext<Env = unknown> =
  | SessionContext<Env>
  | RequestContext<Env>
  | ModernContext<Env>
  | TaskContext<Env>;

interface AnyContext<Env> {
  readonly env: Env;
  /** Tells clients of both eras that something changed; undefined where the deployment has no hub. */
  readonly notify?: Notifier;
  /** Whoever calls, with a state of his own that lasts in every era; undefined without an `authorize` hook. */
  readonly user?: User;
  /**
   * Has work go on once its call is answered, or its client gone: a write to a log, a message to elsewhere. On Workers
   * the platform keeps the session's object, or the request, alive for it; in one process `close` waits for it, five
   * seconds at most. Nothing of it outlives the isolate or the process: what must be done in any case is a task. A
   * rejection is a `hook.error`. Takes the promise, not a function, and may be passed on by itself.
   */
  readonly waitUntil: WaitUntil;
}

/** One session's server: it lives over many requests, each with its own `authInfo` in the handler's context. */
export interface SessionContext<Env = unknown> extends AnyContext<Env> {
  readonly era: "session";
  readonly session: SessionInfo;
}

/**
 * One POST's server, for a client of the session eras that names no session: ChatGPT does so on purpose,
 * claude.ai and others at times. It answers, and is gone; what it asks of the client is refused.
 */
export interface RequestContext<Env = unknown> extends StatelessContext<Env> {
  readonly era: "request";
}

/** One request's server (2026-07-28). */
export interface ModernContext<Env = unknown> extends StatelessContext<Env> {
  readonly era: "modern";
}

/**
 * A task's server: it runs one call (2026-07-28, `io.modelcontextprotocol/tasks`) that goes on whether its client stays
 * or not. The `request` carries no credentials, and `authInfo` is undefined once a restart has interrupted the task.
 */
export interface TaskContext<Env = unknown> extends StatelessContext<Env> {
  readonly era: "task";
  readonly task: TaskInfo;
}

/** The task that a server instance is built for. */
export interface TaskInfo {
  /** As its client knows it. */
  readonly id: string;
  /** How often its call has been begun, restarts included: 1 the first time. Rounds of input begin nothing anew. */
  readonly attempt: number;
  /** How long it is kept, from its creation, in milliseconds. */
  readonly ttlMs: number;
  /** What it needs to go on after a restart. Bounded by `maxStateBytes`; gone with the task. */
  readonly state: SessionState;
  /** Says how far it is, to whoever looks (`statusMessage`). Cheap: it is stored once in a second at most. */
  progress(message: string): void;
}

/** What the contexts of all of these have in common. */
export interface StatelessContext<Env> extends AnyContext<Env> {
  readonly session?: undefined;
  readonly request: Request;
  /** What the request says; the first of a batch. */
  readonly message: JsonRpcMessage;
  /** The subject that `authorize` returned; undefined without an `authorize` hook. */
  readonly principal: string | undefined;
  readonly authInfo: unknown;
}

/** Anything that can be connected to an SDK-shaped transport: SDK v1 and v2 `McpServer` and `Server`, and look-alikes. */
export interface ConnectableServer {
  /** Called once for each server that the factory builds; what it throws counts as the factory's fault. */
  // A method, not a property: its parameter is then compared both ways, so that servers fit whose own
  // `Transport` type asks for more or less than ours.
  connect(transport: SessionTransport): Promise<void>;
}

/** Builds the user's MCP server for one session (or, in the modern era, for one request). */
export type CreateServer<Env = unknown> = (
  context: ServerContext<Env>,
) => ConnectableServer | Promise<ConnectableServer>;
