/** What it is to be turned away, and how it looks on the wire. @module */
import type { JsonRpcErrorObject, RequestId } from "./messages.ts";
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

/** The codes that are given out. */
export const CODE = {
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

/** Milliseconds after which what was refused for a moment may be taken. */
export const RETRY_SOON = 1000;
/** Sessions end by the minute at best, not by the second. */
export const RETRY_LATER = 60_000;

type Headers = Readonly<Record<string, string>>;

/** @param status of HTTP */
export function failure(status: number, error: JsonRpcErrorObject, headers?: Headers): Failure {
  return { status, error, headers };
}

/** The transport refuses, for a reason that JSON-RPC has no code for. */
export function refused(status: number, message: string, headers?: Headers): Failure {
  return failure(status, { code: CODE.refused, message }, headers);
}

/** For want of room, of time, or of a server: the message may come again. */
export function notNow(status: 429 | 503, message: string, retryAfterMs: number): Failure {
  return { ...refused(status, message, { "Retry-After": String(retryAfterMs / 1000) }), retryAfterMs };
}

/** The JSON-RPC error response for a failure; `id` is null where no request can be named. */
export function errorBody(error: JsonRpcErrorObject, id: RequestId | null = null): string {
  return toWire({ jsonrpc: "2.0", error, id });
}

/** The error under which one request hears that it was turned away, and when it may come again, where it may. */
export function notNowBody({ error, retryAfterMs }: Failure, id: RequestId): string {
  return errorBody(retryAfterMs === undefined ? error : { ...error, data: { retryAfterMs } }, id);
}
