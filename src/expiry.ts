/**
 * A token's end. What `authorize` says of it (`authInfo.expiresAt`, seconds since 1970) holds for all that the token
 * opened: a request that comes with an expired one is refused, and a stream ends with the token that opened it.
 * @module
 */
import { isObject } from "./jsonrpc/messages.ts";
import { LONGEST_TIMER_MS } from "./within.ts";

/** When what the caller has shown runs out, in ms since 1970; undefined where nothing is said of that. NaN never holds. */
export function expiryOf(authInfo: unknown): number | undefined {
  const seconds = isObject(authInfo) ? authInfo["expiresAt"] : undefined;
  return typeof seconds === "number" ? seconds * 1000 : undefined;
}

/** True where what the caller has shown has run out. */
export function isExpired(authInfo: unknown): boolean {
  const at = expiryOf(authInfo);
  return at !== undefined && !(at > Date.now());
}

/** Calls `end` as the token runs out, or so many milliseconds later. Returns what calls that off. */
export function atExpiry(authInfo: unknown, end: () => void, laterMs = 0): () => void {
  const at = expiryOf(authInfo);
  if (at === undefined) return () => {};
  // No stream lives as long as the longest timer (`maxStreamMs`).
  const timer = setTimeout(end, Math.min(LONGEST_TIMER_MS, Math.max(0, at + laterMs - Date.now())));
  return () => clearTimeout(timer);
}
