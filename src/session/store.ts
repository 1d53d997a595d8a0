/**
 * The queries of one session over the schema. Each is one statement or one transaction; nothing is
 * cached here.
 * @module
 */
import {
  createSchema,
  type EntryKind,
  hasSchema,
  type LogExtent,
  PART,
  SCHEMA_VERSION,
  type SessionRow,
  type SqlStore,
  type SqlValue,
  type StoredEvent,
  type StreamRow,
} from "./schema.ts";

export interface SessionStore {
  transaction<T>(body: () => T): T;
  /** The session's row, or undefined where there is none. Creates nothing. */
  load(): SessionRow | undefined;
  /** Creates the schema where it is missing, and the session. */
  open(row: SessionRow): void;
  update(fields: Partial<SessionRow>): void;
  /** Removes what belongs to the session but its row; of one that may be revived, what it needs then stays. */
  clear(isRevivable: boolean): void;

  streams(): (StreamRow & Answered)[];
  stream(id: number): (StreamRow & Answered) | undefined;
  putStream(row: StreamRow): void;
  updateStream(stream: number, fields: Partial<StreamRow>): void;
  deleteStream(stream: number): void;

  /** Stores an event; `answers` is the JSON of the request id that it answers, or null. */
  append(stream: number, seq: number, data: string, answers: string | null, now: number): void;
  /** Events after `seq`, in order, until `bytes` characters are exceeded; at least one if there is one. */
  eventsAfter(stream: number, seq: number, bytes: number): StoredEvent[];
  extent(stream: number): LogExtent;
  /** The size of each event, in characters, in order. */
  sizes(stream: number): { seq: number; bytes: number }[];
  /** Deletes events up to `seq`; returns their size in characters. */
  deleteThrough(stream: number, seq: number): number;
  /** The last event of each stream that is older than `before`: what age removes. */
  agedOut(before: number): { stream: number; seq: number }[];
  /** When the oldest event was stored; undefined where there is none. */
  oldestEvent(): number | undefined;

  entry(kind: EntryKind, name: string): string | undefined;
  entries(kind: EntryKind): { name: string; value: string }[];
  putEntry(kind: EntryKind, name: string, value: string): void;
  deleteEntry(kind: EntryKind, name: string): boolean;
}

/** JSON of the request ids that a stream's stored events answer, separated by commas. */
interface Answered {
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
    transaction: (body) => sql.transaction(body),

    load() {
      if (!hasSchema(sql)) return undefined;
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
    stream: (id) => selectStreams("AND stream = ?", id)[0],
    putStream: (row) => insert("stream", STREAM_COLUMNS, row),
    updateStream(stream, fields) {
      const { set, values } = assign({ ...fields });
      sql.exec(`UPDATE stream SET ${set} WHERE key = ? AND stream = ?`, ...values, key, stream);
    },
    deleteStream(stream) {
      sql.exec("DELETE FROM stream WHERE key = ? AND stream = ?", key, stream);
    },

    append(stream, seq, data, answers, now) {
      const insertPart = (part: number, start: number, end: number): void =>
        defer(
          "INSERT INTO event (key, stream, seq, part, size, answers, created, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
          key,
          stream,
          seq,
          part,
          end - start,
          part === 0 ? answers : null,
          now,
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
    extent(stream) {
      const [row] = sql.exec<{ [Name in keyof LogExtent]: LogExtent[Name] }>(
        `SELECT coalesce(min(seq), 0) AS first, coalesce(max(seq), 0) AS last, count(DISTINCT seq) AS count,
          coalesce(sum(size), 0) AS bytes
          FROM event WHERE key = ? AND stream = ?`,
        key,
        stream,
      );
      return row ?? { first: 0, last: 0, count: 0, bytes: 0 };
    },
    sizes: (stream) =>
      sql.exec<{ seq: number; bytes: number }>(
        `SELECT seq, sum(size) AS bytes FROM event WHERE key = ? AND stream = ?
          GROUP BY seq ORDER BY seq`,
        key,
        stream,
      ),
    deleteThrough(stream, seq) {
      const deleted = sql.exec<{ size: number }>(
        "DELETE FROM event WHERE key = ? AND stream = ? AND seq <= ? RETURNING size",
        key,
        stream,
        seq,
      );
      return deleted.reduce((total, { size }) => total + size, 0);
    },
    agedOut: (before) =>
      sql.exec<{ stream: number; seq: number }>(
        "SELECT stream, max(seq) AS seq FROM event WHERE key = ? AND created < ? GROUP BY stream",
        key,
        before,
      ),
    oldestEvent() {
      const [row] = sql.exec<{ oldest: number | null }>(
        "SELECT min(created) AS oldest FROM event WHERE key = ?",
        key,
      );
      return row?.oldest ?? undefined;
    },

    entry: (kind, name) =>
      sql.exec<{ value: string }>(
        "SELECT value FROM entry WHERE key = ? AND kind = ? AND name = ?",
        key,
        kind,
        name,
      )[0]?.value,
    entries: (kind) =>
      sql.exec<{ name: string; value: string }>(
        "SELECT name, value FROM entry WHERE key = ? AND kind = ? ORDER BY name",
        key,
        kind,
      ),
    putEntry: (kind, name, value) => insert("entry", ["kind", "name", "value"], { kind, name, value }),
    deleteEntry: (kind, name) =>
      sql.exec<{ name: string }>(
        "DELETE FROM entry WHERE key = ? AND kind = ? AND name = ? RETURNING name",
        key,
        kind,
        name,
      ).length > 0,
  };
}

/** Where a part that starts at `start` ends: never between the halves of a surrogate pair. */
function partEnd(data: string, start: number): number {
  const end = Math.min(start + PART, data.length);
  const unit = data.charCodeAt(end - 1);
  return end < data.length && unit >= 0xd800 && unit < 0xdc00 ? end - 1 : end;
}
