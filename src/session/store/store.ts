/**
 * The queries of one session over the schema: its row and its streams' rows here, logs and entries in files of
 * their own. Each is one statement or one transaction; nothing is cached here.
 * @module
 */
import type { EntryStore } from "./entries.ts";
import { type EventStore, StoredEvents } from "./events.ts";
import {
  createSchema,
  hasSchema,
  LaterSchema,
  migrate,
  SCHEMA_VERSION,
  type SessionRow,
  type SqlStore,
  type SqlValue,
  type StreamRow,
} from "./schema.ts";

/** All that is asked of a session's storage. Synchronous, and throws where SQLite does (a full disk). */
export interface SessionStore extends EntryStore, EventStore {
  transaction<T>(body: () => T): T;
  /**
   * The session's row, or undefined where there is none. Creates nothing; what an earlier version stored is
   * brought to this one first.
   * @throws {LaterSchema} where a later version stored it; nothing is changed
   */
  load(): SessionRow | undefined;
  /** Creates the schema where it is missing, and the session. */
  open(row: SessionRow): void;
  update(fields: Partial<SessionRow>): void;
  /** Removes what belongs to the session but its row; of one that may be revived, what it needs then stays. */
  clear(isRevivable: boolean): void;

  streams(): (StreamRow & Answered)[];
  /** The rows alone: no log is read. */
  streamRows(): StreamRow[];
  streamRow(id: number): StreamRow | undefined;
  stream(id: number): (StreamRow & Answered) | undefined;
  putStream(row: StreamRow): void;
  updateStream(stream: number, fields: Partial<StreamRow>): void;
  deleteStream(stream: number): void;
  /** Characters of the requests that streams keep so that they can run again. */
  requestSizes(): { stream: number; size: number }[];
  /** What the session holds, its own row included: rows, and characters. Reads sizes, not data. */
  weight(): { rows: number; bytes: number };
}

/** JSON of the request ids that a stream's stored events answer, separated by commas. */
export interface Answered {
  answered: string | null;
}

const SESSION_COLUMNS = [
  "id",
  "kind",
  "status",
  "principal",
  "version",
  "initialize",
  "initialized",
  "standalone",
  "created",
  "seen",
  "ended",
  "successor",
  "greeting",
] as const satisfies (keyof SessionRow)[];
const STREAM_COLUMNS = [
  "stream",
  "kind",
  "pending",
  "request",
  "attempts",
  "trimmed",
  "delivered",
  "created",
] as const satisfies (keyof StreamRow)[];

/** The store of the session under `key`. */
export function createSessionStore(sql: SqlStore, key: number): SessionStore {
  return new StoredSession(sql, key, "entry");
}

type Answering = StreamRow & Answered;

class StoredSession extends StoredEvents implements SessionStore {
  transaction<T>(body: () => T): T {
    return this.sql.transaction(body);
  }

  load(): SessionRow | undefined {
    const { sql, key } = this;
    if (!hasSchema(sql)) return undefined;
    const [stored] = sql.exec<{ schema: number }>("SELECT schema FROM session WHERE key = ?", key);
    const version = stored?.schema ?? SCHEMA_VERSION;
    if (version > SCHEMA_VERSION) throw new LaterSchema(version);
    // An object by itself: a local file is brought forward as it is opened, with all that are in it.
    if (version < SCHEMA_VERSION) sql.transaction(() => migrate(sql, version));
    type Row = { [Name in keyof SessionRow]: SessionRow[Name] };
    return sql.exec<Row & Record<string, SqlValue>>(
      `SELECT ${SESSION_COLUMNS.join()} FROM session WHERE key = ?`,
      key,
    )[0];
  }

  open(row: SessionRow): void {
    this.sql.transaction(() => {
      if (!hasSchema(this.sql)) createSchema(this.sql);
      this.#insert("session", ["schema", ...SESSION_COLUMNS], { schema: SCHEMA_VERSION, ...row });
    });
  }

  update(fields: Partial<SessionRow>): void {
    const { set, values } = assign({ ...fields });
    this.sql.exec(`UPDATE session SET ${set} WHERE key = ?`, ...values, this.key);
  }

  clear(isRevivable: boolean): void {
    const { sql, key } = this;
    const [streams, entries] = isRevivable
      ? [" AND kind <> 'standalone'", " AND kind NOT IN ('state', 'sticky')"]
      : ["", ""];
    sql.transaction(() => {
      sql.exec("DELETE FROM event WHERE key = ?", key);
      sql.exec(`DELETE FROM stream WHERE key = ?${streams}`, key);
      sql.exec(`DELETE FROM entry WHERE key = ?${entries}`, key);
    });
  }

  streams(): Answering[] {
    return this.#selectStreams("");
  }

  streamRows(): StreamRow[] {
    return this.sql.exec<{ [Name in keyof StreamRow]: StreamRow[Name] }>(
      `SELECT ${STREAM_COLUMNS.join()} FROM stream WHERE key = ?`,
      this.key,
    );
  }

  streamRow(id: number): StreamRow | undefined {
    return this.sql.exec<{ [Name in keyof StreamRow]: StreamRow[Name] }>(
      `SELECT ${STREAM_COLUMNS.join()} FROM stream WHERE key = ? AND stream = ?`,
      this.key,
      id,
    )[0];
  }

  stream(id: number): Answering | undefined {
    return this.#selectStreams("AND stream = ?", id)[0];
  }

  putStream(row: StreamRow): void {
    this.#insert("stream", STREAM_COLUMNS, row);
  }

  updateStream(stream: number, fields: Partial<StreamRow>): void {
    const { set, values } = assign({ ...fields });
    this.sql.exec(`UPDATE stream SET ${set} WHERE key = ? AND stream = ?`, ...values, this.key, stream);
  }

  deleteStream(stream: number): void {
    this.sql.exec("DELETE FROM stream WHERE key = ? AND stream = ?", this.key, stream);
  }

  requestSizes(): { stream: number; size: number }[] {
    return this.sql.exec(
      "SELECT stream, length(request) AS size FROM stream WHERE key = ? AND request IS NOT NULL",
      this.key,
    );
  }

  weight(): { rows: number; bytes: number } {
    const weighed = this.sql.exec<{ rows: number; bytes: number }>(
      `SELECT sum(rows) AS rows, sum(bytes) AS bytes FROM (
          SELECT count(*) AS rows, coalesce(sum(size), 0) AS bytes FROM event WHERE key = ?1
          UNION ALL SELECT count(*), coalesce(sum(length(pending) + coalesce(length(request), 0)), 0)
            FROM stream WHERE key = ?1
          UNION ALL SELECT count(*), coalesce(sum(length(name) + length(value)), 0) FROM entry WHERE key = ?1
          UNION ALL SELECT count(*), coalesce(sum(coalesce(length(initialize), 0)), 0)
            FROM session WHERE key = ?1)`,
      this.key,
    );
    return weighed[0] ?? { rows: 0, bytes: 0 };
  }

  #selectStreams(condition: string, ...bindings: SqlValue[]): Answering[] {
    return this.sql.exec<{ [Name in keyof StreamRow]: StreamRow[Name] } & { answered: string | null }>(
      `SELECT ${STREAM_COLUMNS.join()}, (SELECT group_concat(answers, ',') FROM event
        WHERE event.key = stream.key AND event.stream = stream.stream) AS answered
        FROM stream WHERE key = ? ${condition} ORDER BY created`,
      this.key,
      ...bindings,
    );
  }

  #insert<Name extends string>(
    table: string,
    columns: readonly Name[],
    row: Readonly<Record<Name, SqlValue>>,
  ): void {
    this.sql.exec(
      `INSERT OR REPLACE INTO ${table} (key, ${columns.join()}) VALUES (?${", ?".repeat(columns.length)})`,
      this.key,
      ...columns.map((name) => row[name]),
    );
  }
}

function assign(fields: Record<string, SqlValue | undefined>): { set: string; values: SqlValue[] } {
  const given = Object.entries(fields).filter((field): field is [string, SqlValue] => field[1] !== undefined);
  return { set: given.map(([name]) => `${name} = ?`).join(", "), values: given.map(([, value]) => value) };
}
