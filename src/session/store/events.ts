/**
 * The queries over the logs of a session's streams. A message that is longer than a row may be takes several.
 * @module
 */
import type { RequestId } from "../../jsonrpc/messages.ts";
import { PART, partEnd, type SqlStore, type StoredEvent, type SurveyedLog } from "./schema.ts";

/** The events of all streams of one session. */
export interface EventStore {
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
  /** The size of each event, in characters, in order. */
  sizes(stream: number): { seq: number; bytes: number }[];
  /** The same of all streams, the oldest first. */
  sizesByAge(): { stream: number; seq: number; bytes: number }[];
  /** Deletes events up to `seq`; returns their size in characters, and the ids that they answered. */
  deleteThrough(stream: number, seq: number): { bytes: number; answered: RequestId[] };
}

/** The logs of the session under `key`. */
export function createEventStore(sql: SqlStore, key: number): EventStore {
  const defer = sql.defer ?? sql.exec;
  return {
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
