/**
 * The client's half: recovery for clients that cannot recover.
 * @module
 */
export { type Backoff, defaultBackoff } from "./backoff.ts";
export type { FetchLike } from "./client-request.ts";
export { lostAs400, recoveringFetch, type RecoveringFetchOptions } from "./recovering-fetch.ts";
export type {
  ChangedFact,
  RecoveryEvent,
  Reinitialized,
  SessionFacts,
  StreamKind,
} from "./recovery-events.ts";
export type { ErrorReply } from "./session-exchange.ts";
