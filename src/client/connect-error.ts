/**
 * Why a connection could not be made.
 * @module
 */

/**
 * - `network`: no answer at all: nobody listens, or the connection broke before an answer began.
 * - `timeout`: not up within the time that was given.
 * - `aborted`: the caller's own signal.
 * - `unauthorized`: 401 or 403.
 * - `http`: any other error status.
 * - `content-type`: an answer that is neither JSON nor an event stream: not an MCP endpoint.
 * - `closed`: the answer ended before it was complete.
 * - `protocol`: an answer that says no, or that makes no sense.
 */
export type ConnectFailure =
  | "network"
  | "timeout"
  | "aborted"
  | "unauthorized"
  | "http"
  | "content-type"
  | "closed"
  | "protocol";

interface ConnectFailed {
  readonly reason: ConnectFailure;
  readonly status?: number | undefined;
  readonly cause?: unknown;
}

/** What every failure of `connect` and `reconnect` is. `cause` is the SDK's own error, or the network's. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly reason: ConnectFailure;
  readonly url: string;
  /** HTTP status of the answer that decided it; undefined where there was none. */
  readonly status: number | undefined;

  /** @param what what is wrong, for the message */
  constructor(url: string, what: string, why: ConnectFailed) {
    super(`Cannot connect to ${url}: ${what}`, { cause: why.cause });
    this.reason = why.reason;
    this.url = url;
    this.status = why.status;
  }
}
