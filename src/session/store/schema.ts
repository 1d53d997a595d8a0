/**
 * What a session keeps, as SQL. One schema and one set of queries for every host: a Durable Object
 * holds one session under key 1, a local database file holds many.
 *
 * Layout
 * - `session`  one row: who it belongs to, how it was initialised, when it was last seen, how it ended.
 * - `stream`   one row for each call that outlived its POST's quick answer, and one for the standalone
 *              stream once there is something to remember of it. A call that was answered at once has none.
 * - `event`    the log of each stream; a message over {@link PART} characters takes several rows, since a
 *              Durable Object's row holds 2 MB at most. With each stands how far the stream's client had been
 *              handed events by then: that costs no row of its own.
 * - `entry`    the user's state, the journal of sticky requests, and the hub's topics that hold the
 *              session's name, by kind and name.
 *
 * A row's size stands before its data, so that adding sizes up does not read the data from its pages.
 * Whatever can be derived (next sequence number, whether a stream is complete) is derived, not stored:
 * each row written is paid for.
 * @module
 */

/** A value as SQL knows it here. */
export type SqlValue = string | number | null;

/** The whole of what a host must offer: synchronous SQL. Fulfilled by `ctx.storage.sql` and by SQLite. */
export interface SqlStore {
  exec<Row extends Record<string, SqlValue>>(sql: string, ...bindings: SqlValue[]): Row[];
  /**
   * A write that may happen together with others of the same turn of the event loop; the host lets nothing
   * out that tells of it before it has. Without it, `exec`.
   */
  defer?(sql: string, ...bindings: SqlValue[]): void;
  /** Runs `body` so that either all of its writes happen or none. */
  transaction<T>(body: () => T): T;
}

/** Number of the schema below; a file or object with a higher one was written by a later version. */
export const SCHEMA_VERSION = 2;

/** Statements that bring what version n left to version n + 1, under n. Migration goes forward only. */
export const MIGRATIONS: Readonly<Record<number, readonly string[]>> = {
  // Last in the table of an older version, where reading it passes over the data: such rows are gone after `messageTtlMs`.
  1: [
    "ALTER TABLE event ADD COLUMN handed INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE session ADD COLUMN greeting TEXT",
  ],
};

/** Characters of a text that one row holds: at most 3 bytes each, safely under the 2 MB of a Durable Object's row. */
export const PART = 524_288;

/** Where a part that starts at `start` ends: never between the halves of a surrogate pair. */
export function partEnd(data: string, start: number): number {
  const end = Math.min(start + PART, data.length);
  const unit = data.charCodeAt(end - 1);
  return end < data.length && unit >= 0xd800 && unit < 0xdc00 ? end - 1 : end;
}

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS session (key INTEGER PRIMARY KEY, schema INTEGER NOT NULL, id TEXT NOT NULL,
    kind TEXT NOT NULL, status TEXT NOT NULL, principal TEXT, version TEXT NOT NULL, initialize TEXT,
    initialized INTEGER NOT NULL, standalone INTEGER NOT NULL, created INTEGER NOT NULL, seen INTEGER NOT NULL,
    ended INTEGER, successor TEXT, greeting TEXT)`,
  `CREATE TABLE IF NOT EXISTS stream (key INTEGER NOT NULL, stream INTEGER NOT NULL, kind TEXT NOT NULL,
    pending TEXT NOT NULL, request TEXT, attempts INTEGER NOT NULL, trimmed INTEGER NOT NULL,
    delivered INTEGER NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (key, stream)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS event (key INTEGER NOT NULL, stream INTEGER NOT NULL, seq INTEGER NOT NULL,
    part INTEGER NOT NULL, size INTEGER NOT NULL, answers TEXT, created INTEGER NOT NULL,
    handed INTEGER NOT NULL DEFAULT 0, data TEXT NOT NULL,
    PRIMARY KEY (key, stream, seq, part)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS entry (key INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    value TEXT NOT NULL, PRIMARY KEY (key, kind, name)) WITHOUT ROWID`,
];

/** How far a session has come: see `lifecycle.ts`. */
export type SessionStatus = "provisional" | "active" | "ended";

/** The session, as it is stored; there is one row or none. */
export interface SessionRow {
  id: string;
  kind: "streamable" | "http+sse";
  status: SessionStatus;
  principal: string | null;
  /** Negotiated protocol version. */
  version: string;
  /** Params of the `initialize` request, as JSON; null until an HTTP+SSE client has sent one. */
  initialize: string | null;
  /** 1 once `notifications/initialized` has arrived. */
  initialized: number;
  /** Number of the standalone stream. */
  standalone: number;
  created: number;
  seen: number;
  ended: number | null;
  successor: string | null;
  /** Mark of what the server last said of itself (`greeting.ts`); null until it has. */
  greeting: string | null;
}

/** A stream that holds or owes something. */
export interface StreamRow {
  stream: number;
  /** `call`: answered on this stream; `relay`: an HTTP+SSE call, answered on the standalone stream. */
  kind: "standalone" | "call" | "relay";
  /** JSON array of the client's ids of requests that are answered here. */
  pending: string;
  /** The POST's messages as JSON, kept only where they may run again. */
  request: string | null;
  /** How often the call has been begun, the first time included. */
  attempts: number;
  /** Events up to this one are no longer held. */
  trimmed: number;
  /**
   * Events up to this one have reached a client that may come back without an event id, as of the last time
   * that a connection came or went. What each event's row says of it (`handed`) may be later.
   */
  delivered: number;
  created: number;
}

/** A message in a log, and its number there. */
export interface StoredEvent {
  seq: number;
  /** The JSON-RPC message as JSON. */
  data: string;
}

/** What a stream's log holds. `first` is 0 where it holds nothing. */
export interface LogExtent {
  first: number;
  last: number;
  /** Characters. */
  bytes: number;
}

/** A stream's log as a look at all of them finds it. */
export interface SurveyedLog extends LogExtent {
  stream: number;
  /** The last event that is older than what was asked for; null where none is. */
  aged: number | null;
  /** When the oldest of the others was stored; null where there is none. */
  oldest: number | null;
}

/** `state`: the user's; `sticky`: the journal's; `watch`: topics whose hubs hold the session's name. */
export type EntryKind = "state" | "sticky" | "watch";

/** The session was stored by a later version of this code, which alone knows what it means. */
export class LaterSchema extends Error {
  readonly found: number;

  constructor(found: number) {
    super(
      `The session is stored in version ${found}, and this version of holdfast reads up to ${SCHEMA_VERSION}`,
    );
    this.name = "LaterSchema";
    this.found = found;
  }
}

/** True where this database has the schema; asking creates nothing. */
export function hasSchema(sql: SqlStore): boolean {
  return (
    sql.exec("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'session'").length > 0
  );
}

/** Creates all tables; within a transaction of the caller's. */
export function createSchema(sql: SqlStore): void {
  for (const statement of SCHEMA) sql.exec(statement);
}

/** Brings tables that version `from` left to version `to`, the present one; within a transaction of the caller's. */
export function migrate(
  sql: SqlStore,
  from: number,
  {
    to = SCHEMA_VERSION,
    migrations = MIGRATIONS,
  }: { readonly to?: number; readonly migrations?: Readonly<Record<number, readonly string[]>> } = {},
): void {
  for (let version = from; version < to; version++) {
    for (const statement of migrations[version] ?? []) sql.exec(statement);
  }
  sql.exec("UPDATE session SET schema = ?", to);
}
