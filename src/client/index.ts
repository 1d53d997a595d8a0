/**
 * The client's half: recovery for clients that cannot recover.
 * @module
 */
export { type Backoff, defaultBackoff } from "./backoff.ts";
export type { ErrorReply } from "./client-session.ts";
export { connect, type Connection, type ConnectOptions, type Era } from "./connect.ts";
export { ConnectError, type ConnectFailure } from "./connect-error.ts";
export { lostAs400 } from "./lost-as-400.ts";
export { recoveringFetch, type RecoveringFetchOptions } from "./recovering-fetch.ts";
export type { RecoveryEvent, Reinitialized, SessionFacts, StreamKind } from "./recovery-events.ts";
export type { SdkClient, SdkTransport, SdkTransports, TransportClass } from "./sdk.ts";
export type { FetchLike } from "./wire.ts";
