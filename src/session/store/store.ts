/**
 * The queries of one session over the schema. Each is one statement or one transaction; nothing is
 * cached here.
 * @module
 */
import type { RequestId } from "../../jsonrpc/messages.ts";
import { createEntryStore, type EntryStore } from "./entries.ts";
import {
  createSchema,
  hasSchema,
  LaterSchema,
  migrate,
  PART,
  partEnd,
  SCHEMA_VERSION,
  type SessionRow,
  type SqlStore,
  type SqlValue,
  type StoredEvent,
  type StreamRow,
  type SurveyedLog,
} from "./schema.ts";

/** All that is asked of a session's storage. Synchronous, and throws where SQLite does (a full disk). */
export interface SessionStore extends EntryStore {
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

  /**
   * Stores an event; `answers` is the JSON of the request id that it answers, or null, and `handed` the last
   * event of the stream that its client has been handed.
   */
  append(event: {
    readonly stream: number;
    readonly seq: number;
    readonly data: string;
    readonly answers: string | null;
    readonly handed: number;
    readonly now: number;
  }): void;
  /** Events after `seq`, in order, until `bytes` characters are exceeded; at least one if there is one. */
  eventsAfter(stream: number, seq: number, bytes: number): StoredEvent[];
  /** What each stream's log holds, in one reading of them all; `aged` is what was stored before `before`. */
  survey(before: number): SurveyedLog[];
  /** What the stream's last event says of `handed`; 0 where there is none. */
  handed(stream: number): number;
  /** Characters of the requests that streams keep so that they can run again. */
  requestSizes(): { stream: number; size: number }[];
  /** The size of each event, in characters, in order. */
  sizes(stream: number): { seq: number; bytes: number }[];
  /** The same of all streams, the oldest first. */
  sizesByAge(): { stream: number; seq: number; bytes: number }[];
  /** Deletes events up to `seq`; returns their size in characters, and the ids that they answered. */
  deleteThrough(stream: number, seq: number): { bytes: number; answered: RequestId[] };
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
  const selectStreams = (condition: string, ...bindings: SqlValue[]): (StreamRow & Answered)[] =>
    sql.exec<{ [Name in keyof StreamRow]: StreamRow[Name] } & { answered: string | null }>(
      `SELECT ${STREAM_COLUMNS.join()}, (SELECT group_concat(answers, ',') FROM event
        WHERE event.key = stream.key AND event.stream = stream.stream) AS answered
        FROM stream WHERE key = ? ${condition} ORDER BY created`,
      key,
      ...bindings,
    );
  const defer = sql.defer ?? sql.exec;
  const insert = <Name extends string>(
    table: string,
    columns: readonly Name[],
    row: Readonly<Record<Name, SqlValue>>,
  ): void => {
    sql.exec(
      `INSERT OR REPLACE INTO ${table} (key, ${columns.join()}) VALUES (?${", ?".repeat(columns.length)})`,
      key,
      ...columns.map((name) => row[name]),
    );
  };
  const assign = (fields: Record<string, SqlValue | undefined>): { set: string; values: SqlValue[] } => {
    const given = Object.entries(fields).filter(
      (field): field is [string, SqlValue] => field[1] !== undefined,
    );
    return { set: given.map(([name]) => `${name} = ?`).join(", "), values: given.map(([, value]) => value) };
  };

  return {
    ...createEntryStore(sql, key),
    transaction: (body) => sql.transaction(body),

    load() {
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
    },
    open(row) {
      sql.transaction(() => {
        if (!hasSchema(sql)) createSchema(sql);
        insert("session", ["schema", ...SESSION_COLUMNS], { schema: SCHEMA_VERSION, ...row });
      });
    },
    update(fields) {
      const { set, values } = assign({ ...fields });
      sql.exec(`UPDATE session SET ${set} WHERE key = ?`, ...values, key);
    },
    clear(isRevivable) {
      const [streams, entries] = isRevivable
        ? [" AND kind <> 'standalone'", " AND kind NOT IN ('state', 'sticky')"]
        : ["", ""];
      sql.transaction(() => {
        sql.exec("DELETE FROM event WHERE key = ?", key);
        sql.exec(`DELETE FROM stream WHERE key = ?${streams}`, key);
        sql.exec(`DELETE FROM entry WHERE key = ?${entries}`, key);
      });
    },

    streams: () => selectStreams(""),
    streamRows: () =>
      sql.exec<{ [Name in keyof StreamRow]: StreamRow[Name] }>(
        `SELECT ${STREAM_COLUMNS.join()} FROM stream WHERE key = ?`,
        key,
      ),
    streamRow: (id) =>
      sql.exec<{ [Name in keyof StreamRow]: StreamRow[Name] }>(
        `SELECT ${STREAM_COLUMNS.join()} FROM stream WHERE key = ? AND stream = ?`,
        key,
        id,
      )[0],
    stream: (id) => selectStreams("AND stream = ?", id)[0],
    putStream: (row) => insert("stream", STREAM_COLUMNS, row),
    updateStream(stream, fields) {
      const { set, values } = assign({ ...fields });
      sql.exec(`UPDATE stream SET ${set} WHERE key = ? AND stream = ?`, ...values, key, stream);
    },
    deleteStream(stream) {
      sql.exec("DELETE FROM stream WHERE key = ? AND stream = ?", key, stream);
    },

    append({ stream, seq, data, answers, handed, now }) {
      const insertPart = (part: number, start: number, end: number): void =>
        defer(
          `INSERT INTO event (key, stream, seq, part, size, answers, created, handed, data)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          key,
          stream,
          seq,
          part,
          end - start,
          part === 0 ? answers : null,
          now,
          handed,
          data.slice(start, end),
        );
      if (data.length <= PART) return insertPart(0, 0, data.length);
      sql.transaction(() => {
        for (let start = 0, part = 0; start < data.length; part++) {
          const end = partEnd(data, start);
          insertPart(part, start, end);
          start = end;
        }
      });
    },
    eventsAfter(stream, seq, bytes) {
      // Two steps, so that a long log is never read whole: how far the budget reaches, then the data.
      const sizes = sql.exec<{ seq: number; bytes: number }>(
        `SELECT seq, sum(size) AS bytes FROM event WHERE key = ? AND stream = ? AND seq > ?
          GROUP BY seq ORDER BY seq LIMIT 256`,
        key,
        stream,
        seq,
      );
      let last = 0;
      let total = 0;
      for (const size of sizes) {
        if (last !== 0 && total + size.bytes > bytes) break;
        total += size.bytes;
        last = size.seq;
      }
      const events: StoredEvent[] = [];
      const rows = sql.exec<{ seq: number; part: number; data: string }>(
        `SELECT seq, part, data FROM event WHERE key = ? AND stream = ? AND seq > ? AND seq <= ?
          ORDER BY seq, part`,
        key,
        stream,
        seq,
        last,
      );
      for (const row of rows) {
        const previous = events.at(-1);
        if (row.part > 0 && previous !== undefined) previous.data += row.data;
        else events.push({ seq: row.seq, data: row.data });
      }
      return events;
    },
    survey: (before) =>
      sql.exec<{ [Name in keyof SurveyedLog]: SurveyedLog[Name] }>(
        `SELECT stream, min(seq) AS first, max(seq) AS last, sum(size) AS bytes,
          max(CASE WHEN created < ? THEN seq END) AS aged, min(CASE WHEN created >= ? THEN created END) AS oldest
          FROM event WHERE key = ? GROUP BY stream`,
        before,
        before,
        key,
      ),
    handed: (stream) =>
      sql.exec<{ handed: number }>(
        "SELECT handed FROM event WHERE key = ? AND stream = ? ORDER BY seq DESC, part DESC LIMIT 1",
        key,
        stream,
      )[0]?.handed ?? 0,
    requestSizes: () =>
      sql.exec<{ stream: number; size: number }>(
        "SELECT stream, length(request) AS size FROM stream WHERE key = ? AND request IS NOT NULL",
        key,
      ),
    sizes: (stream) =>
      sql.exec<{ seq: number; bytes: number }>(
        `SELECT seq, sum(size) AS bytes FROM event WHERE key = ? AND stream = ?
          GROUP BY seq ORDER BY seq`,
        key,
        stream,
      ),
    sizesByAge: () =>
      sql.exec<{ stream: number; seq: number; bytes: number }>(
        `SELECT stream, seq, sum(size) AS bytes FROM event WHERE key = ?
          GROUP BY stream, seq ORDER BY min(created), stream, seq`,
        key,
      ),
    deleteThrough(stream, seq) {
      const deleted = sql.exec<{ size: number; answers: string | null }>(
        "DELETE FROM event WHERE key = ? AND stream = ? AND seq <= ? RETURNING size, answers",
        key,
        stream,
        seq,
      );
      return {
        bytes: deleted.reduce((total, { size }) => total + size, 0),
        answered: deleted.flatMap(({ answers }) =>
          answers === null ? [] : (JSON.parse(answers) as RequestId),
        ),
      };
    },
  };
}
