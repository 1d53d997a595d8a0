/** What the user's `sessionKey` is asked, and what it answers: see `keyed.ts`. @module */
import type { Context, Env } from "hono";
import type { JsonRpcMessage } from "../jsonrpc/messages.ts";

/** A request without a session id, as {@link SessionKey} is asked about it. */
export interface KeyedRequest<E extends Env = Env> {
  /** The subject that `authorize` returned. */
  readonly principal: string;
  /** The message, one by one for a batch, whose keys must be the same where there are any; undefined for a GET. */
  readonly message: JsonRpcMessage | undefined;
  readonly request: Request;
  readonly c: Context<E>;
}

/**
 * Names the session that a request without a session id belongs to, among those of its principal: requests with
 * one key share one durable session. Undefined for a request that belongs to none.
 */
export type SessionKey<E extends Env = Env> = (request: KeyedRequest<E>) => string | undefined;
