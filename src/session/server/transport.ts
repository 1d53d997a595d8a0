/**
 * The transport that the user's server is connected to: the shape of the official SDKs' `Transport`
 * (v1 and v2 alike), with no import from either. It knows nothing of streams; it hands each message
 * on with what the server said it relates to.
 * @module
 */
import type { JsonRpcMessage, RequestId } from "../../jsonrpc/messages.ts";
import type { ScopeResolver } from "./scopes.ts";

/** What comes with each inbound message, in the names of SDK v1 (`requestInfo`) and v2 (`request`). */
export interface MessageExtra {
  readonly requestInfo?: {
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    readonly url?: URL;
  };
  readonly request?: Request;
  readonly authInfo?: unknown;
  /** Ends the connection of this request's stream; the client polls for the rest (2025-11-25, SEP-1699). */
  readonly closeSSEStream?: (() => void) | undefined;
  /** The same for the stream of the session's GET. */
  readonly closeStandaloneSSEStream?: (() => void) | undefined;
}

/** A message as the SDKs type it, each in its own way: all that is common to them is said here. */
export interface WireMessage {
  readonly jsonrpc: "2.0";
}

/** What the SDKs say of a message that they send. */
export interface SendOptions {
  /** The inbound request that an outbound request or notification belongs to. */
  readonly relatedRequestId?: RequestId | undefined;
}

/** What `connect` of the user's server is given. */
export interface SessionTransport {
  /** Undefined where a server is built for one request alone. */
  readonly sessionId: string | undefined;
  /** Set by the SDK: takes what the client sends. */
  onmessage?(message: WireMessage, extra?: MessageExtra): void;
  /** Set by the SDK: hears that the transport is closed, by whomever. */
  onclose?(): void;
  /** Hears of what goes wrong outside of any message; the SDK puts its own in front. */
  onerror?(error: Error): void;
  /** SDK v2's `McpServer.connect` looks for it: what single requests need of a token (see `scopes.ts`). */
  setScopeChallengeResolver(resolver: ScopeResolver): void;
  /** Called by the SDK as it connects. Nothing has to be started. */
  start(): Promise<void>;
  /** Resolves once the message is on its way (or stored for later) and the reader's pace allows more. */
  send(message: WireMessage, options?: SendOptions): Promise<void>;
  /** Closed by the server itself: what is in flight ends as `interrupted`, and the next message builds a new server. */
  close(): Promise<void>;
}

/** Who stands behind the transport. */
export interface TransportHooks {
  /** Carries an outbound message on. */
  send(message: JsonRpcMessage, related: RequestId | undefined): Promise<void>;
  /** The server closes its transport; the SDKs do so again from their `onclose`. */
  close(): void;
  /** Somebody tells the transport of an error. The SDKs put their own `onerror` in front of it. */
  error(error: unknown): void;
  /** The server says what single requests need of a token. */
  scopes(resolver: ScopeResolver): void;
}

/** A transport for one server; `sessionId` is undefined where there is no session. */
export function createTransport(sessionId: string | undefined, hooks: TransportHooks): SessionTransport {
  return {
    sessionId,
    onerror: hooks.error,
    setScopeChallengeResolver: hooks.scopes,
    start: () => Promise.resolve(),
    send: (message, options) => hooks.send(message as JsonRpcMessage, options?.relatedRequestId),
    async close() {
      hooks.close();
    },
  };
}
