/**
 * The queries over the logs of a session's streams. A message that is longer than a row may be takes several.
 * @module
 */
import type { RequestId } from "../../jsonrpc/messages.ts";
import { StoredEntries } from "./entries.ts";
import { PART, partEnd, type StoredEvent, type SurveyedLog } from "./schema.ts";

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

/** The logs of a session, beside its entries. */
export class StoredEvents extends StoredEntries<number> implements EventStore {
  append({ stream, seq, data, answers, handed, now }: Parameters<EventStore["append"]>[0]): void {
    const { sql, key } = this;
    const insertPart = (part: number, start: number, end: number): void => {
      const insert = `INSERT INTO event (key, stream, seq, part, size, answers, created, handed, data)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
      const text = data.slice(start, end);
      const own = part === 0 ? answers : null;
      const values = [key, stream, seq, part, end - start, own, now, handed, text];
      if (sql.defer === undefined) sql.exec(insert, ...values);
      else sql.defer(insert, ...values);
    };
    if (data.length <= PART) return insertPart(0, 0, data.length);
    sql.transaction(() => {
      for (let start = 0, part = 0; start < data.length; part++) {
        const end = partEnd(data, start);
        insertPart(part, start, end);
        start = end;
      }
    });
  }

  eventsAfter(stream: number, seq: number, bytes: number): StoredEvent[] {
    // Two steps, so that a long log is never read whole: how far the budget reaches, then the data.
    const sizes = this.sql.exec<{ seq: number; bytes: number }>(
      `SELECT seq, sum(size) AS bytes FROM event WHERE key = ? AND stream = ? AND seq > ?
          GROUP BY seq ORDER BY seq LIMIT 256`,
      this.key,
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
    const rows = this.sql.exec<{ seq: number; part: number; data: string }>(
      `SELECT seq, part, data FROM event WHERE key = ? AND stream = ? AND seq > ? AND seq <= ?
          ORDER BY seq, part`,
      this.key,
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
  }

  survey(before: number): SurveyedLog[] {
    return this.sql.exec<{ [Name in keyof SurveyedLog]: SurveyedLog[Name] }>(
      `SELECT stream, min(seq) AS first, max(seq) AS last, sum(size) AS bytes,
          max(CASE WHEN created < ? THEN seq END) AS aged, min(CASE WHEN created >= ? THEN created END) AS oldest
          FROM event WHERE key = ? GROUP BY stream`,
      before,
      before,
      this.key,
    );
  }

  handed(stream: number): number {
    const [last] = this.sql.exec<{ handed: number }>(
      "SELECT handed FROM event WHERE key = ? AND stream = ? ORDER BY seq DESC, part DESC LIMIT 1",
      this.key,
      stream,
    );
    return last?.handed ?? 0;
  }

  sizes(stream: number): { seq: number; bytes: number }[] {
    return this.sql.exec(
      `SELECT seq, sum(size) AS bytes FROM event WHERE key = ? AND stream = ?
          GROUP BY seq ORDER BY seq`,
      this.key,
      stream,
    );
  }

  sizesByAge(): { stream: number; seq: number; bytes: number }[] {
    return this.sql.exec(
      `SELECT stream, seq, sum(size) AS bytes FROM event WHERE key = ?
          GROUP BY stream, seq ORDER BY min(created), stream, seq`,
      this.key,
    );
  }

  deleteThrough(stream: number, seq: number): { bytes: number; answered: RequestId[] } {
    const deleted = this.sql.exec<{ size: number; answers: string | null }>(
      "DELETE FROM event WHERE key = ? AND stream = ? AND seq <= ? RETURNING size, answers",
      this.key,
      stream,
      seq,
    );
    return {
      bytes: deleted.reduce((total, { size }) => total + size, 0),
      answered: deleted.flatMap(({ answers }) =>
        answers === null ? [] : (JSON.parse(answers) as RequestId),
      ),
    };
  }
}
