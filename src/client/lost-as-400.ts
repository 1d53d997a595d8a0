/**
 * For servers that answer 400 where the specification wants 404.
 * @module
 */
import type { ErrorReply } from "./client-session.ts";

/**
 * Recognises the 400 of servers that follow the official SDK's examples. For `sessionLost`:
 *
 * ```ts
 * recoveringFetch({ sessionLost: lostAs400 });
 * ```
 *
 * Opt-in, because a 400 says less than a 404: a proxy in between may have other reasons for one.
 */
export function lostAs400({ status, body }: ErrorReply): boolean {
  return status === 400 && /not initialized|(no valid|invalid|unknown) session|session not found/i.test(body);
}
