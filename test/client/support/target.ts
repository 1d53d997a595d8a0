/** Servers that recovery is tested against. @module */
/** A running server whose sessions a test may end, with or without the server's own death. */
export interface RunningTarget {
  /** The MCP endpoint. */
  readonly url: string;
  /** Forgets every session; connections stay open where the server can keep them. */
  wipe(): Promise<void>;
  /** Dies as a process does, and comes back at the same URL with what it keeps on disk. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A server with the tools `echo {text}`, `emit {count, on}` (log messages `{n}` at level `info`),
 * `touch {uri}` (tells subscribers) and `ask {message, on}` (elicits).
 */
export interface Target {
  readonly name: string;
  start(): Promise<RunningTarget>;
}
