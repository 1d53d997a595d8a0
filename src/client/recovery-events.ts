/**
 * What the client half reports of its work: one value for each drop, resume and recovery.
 * @module
 */
import type { JsonObject, RequestId } from "../jsonrpc/messages.ts";

/** `call`: the answer to a POST. `standalone`: the GET stream. `legacy`: the GET of HTTP+SSE. */
export type StreamKind = "call" | "standalone" | "legacy";

/** What a server said of itself and of a session when the session was opened: its id and the `InitializeResult`. */
export interface SessionFacts {
  /** The value of `Mcp-Session-Id`; undefined where the server keeps no session. */
  readonly sessionId: string | undefined;
  /** The negotiated revision, such as `2025-11-25`. */
  readonly protocolVersion: string;
  readonly capabilities: JsonObject;
  readonly serverInfo: JsonObject;
  readonly instructions?: string;
}

/** A session was lost, and another took its place. */
export interface Reinitialized {
  /** Undefined where the server had not said anything of itself yet. */
  readonly previous: SessionFacts | undefined;
  readonly current: SessionFacts;
  /**
   * Names of the facts that differ, such as `capabilities` or `protocolVersion`; never `sessionId`.
   * Empty where the server came back as it was: nothing for the application to do.
   */
  readonly changed: readonly string[];
}

/** Times are milliseconds. */
export type RecoveryEvent =
  /** A stream's connection ended though its work was not done; without a `cause` it ended cleanly. */
  | { readonly type: "dropped"; readonly stream: StreamKind; readonly cause: unknown }
  /** The stream goes on, on a new connection. `eventId` is where it went on from. */
  | {
      readonly type: "resumed";
      readonly stream: StreamKind;
      readonly attempts: number;
      readonly downMs: number;
      readonly eventId: string | undefined;
    }
  /** The server no longer holds what came after `eventId`: messages may be missing. */
  | { readonly type: "gap"; readonly stream: StreamKind; readonly eventId: string }
  /** The attempts are used up. The stream tries again when the next request succeeds. */
  | { readonly type: "parked"; readonly stream: StreamKind }
  /** Calls whose answer can no longer arrive; each was given a JSON-RPC error. */
  | { readonly type: "interrupted"; readonly ids: readonly RequestId[]; readonly reason: string }
  /** The server did not know the session any more; a new one took its place. */
  | ({ readonly type: "reinitialized"; readonly downMs: number } & Reinitialized)
  /** The server does not know the session any more, and no new one could be had. Until `retryInMs` none is asked for. */
  | { readonly type: "recovery-failed"; readonly cause: unknown; readonly retryInMs: number }
  /** A `logging/setLevel` or `resources/subscribe` that the new session did not take. */
  | { readonly type: "restore-failed"; readonly message: JsonObject }
  /** An HTTP+SSE client was connected anew, with a session of its own. */
  | { readonly type: "reconnected"; readonly attempts: number; readonly downMs: number }
  /** An HTTP+SSE client could not be connected anew; its `onclose` follows. */
  | { readonly type: "gave-up"; readonly attempts: number; readonly cause: unknown };

/** Where an application hears of it. */
export interface RecoveryHooks {
  /** Called after each recovery, before the requests that waited for it go on. */
  onReinitialized?: (change: Reinitialized) => void;
  /** Called with each drop, resume and recovery. */
  onEvent?: (event: RecoveryEvent) => void;
}

/** Reports to the hooks. One that throws must not break the recovery that it watches, nor may its error vanish. */
export function emitter(hooks: RecoveryHooks): (event: RecoveryEvent) => void {
  return (event) => {
    try {
      if (event.type === "reinitialized") hooks.onReinitialized?.(event);
      hooks.onEvent?.(event);
    } catch (error) {
      // oxlint-disable-next-line no-console -- there is nobody else to tell
      console.error(error);
    }
  };
}

/** Names of the facts that differ. Compared as JSON: a server builds both from the same code. */
export function changedFacts(previous: SessionFacts | undefined, current: SessionFacts): string[] {
  return (Object.keys({ ...previous, ...current }) as (keyof SessionFacts)[]).filter(
    (name) => name !== "sessionId" && JSON.stringify(previous?.[name]) !== JSON.stringify(current[name]),
  );
}
