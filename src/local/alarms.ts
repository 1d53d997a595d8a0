/**
 * The alarms of all sessions, behind one timer. Each pending time is a row, so that a process that
 * starts on the file finds what its predecessor left, and rings what fell due in between.
 * @module
 */
import type { Alarm } from "../session/deadlines.ts";
import type { SqlStore } from "../session/store/schema.ts";
import { createRinger, RETRY_MS } from "./ringer.ts";

/** The alarms of all sessions of one database. */
export interface Alarms {
  /** The alarm of the session under `key`. */
  of(key: number): Alarm;
  /** Rows have come by another way: looks when the first of them is due. */
  look(): void;
  /** Rings what is due by now, and resolves when it has rung. */
  catchUp(): Promise<void>;
  /** Stops the timer; the pending times stay. */
  stop(): void;
}

/** @param ring does what the session has to do by now, and sets its alarm anew or clears it */
export function createAlarms(
  sql: SqlStore,
  now: () => number,
  ring: (id: string, key: number) => Promise<void>,
): Alarms {
  // A process may have died between the first row of a session and its alarm.
  sql.exec(
    "INSERT INTO alarm (key, at) SELECT key, ? FROM session WHERE key NOT IN (SELECT key FROM alarm)",
    now(),
  );
  const ringer = createRinger<{ id: string | null; key: number; at: number }>({
    now,
    earliest: () => sql.exec<{ at: number | null }>("SELECT min(at) AS at FROM alarm")[0]?.at ?? Infinity,
    due: (most) =>
      sql.exec(
        `SELECT session.id AS id, alarm.key AS key, alarm.at AS at FROM alarm LEFT JOIN session USING (key)
          WHERE alarm.at <= ? ORDER BY alarm.at LIMIT ?`,
        now(),
        most,
      ),
    async ring({ id, key, at }) {
      // One that fails must not keep the others from ringing.
      if (id !== null) await ring(id, key).catch(() => {});
      // Rung without effect: a session that is not there, or that could not do its duty.
      if (id === null) sql.exec("DELETE FROM alarm WHERE key = ?", key);
      else sql.exec("UPDATE alarm SET at = ? WHERE key = ? AND at = ?", now() + RETRY_MS, key, at);
    },
  });

  return {
    of: (key) => new RowOfAlarm(sql, key, ringer),
    look: ringer.look,
    catchUp: ringer.catchUp,
    stop: ringer.stop,
  };
}

/** A class, for each session in memory has one. */
class RowOfAlarm implements Alarm {
  readonly #sql: SqlStore;
  readonly #key: number;
  readonly #ringer: { arm(at: number): void };

  constructor(sql: SqlStore, key: number, ringer: { arm(at: number): void }) {
    this.#sql = sql;
    this.#key = key;
    this.#ringer = ringer;
  }

  get(): number | undefined {
    return this.#sql.exec<{ at: number }>("SELECT at FROM alarm WHERE key = ?", this.#key)[0]?.at;
  }

  set(at: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO alarm (key, at) VALUES (?, ?)", this.#key, at);
    this.#ringer.arm(at);
  }

  clear(): void {
    this.#sql.exec("DELETE FROM alarm WHERE key = ?", this.#key);
  }
}

/** Runs what nobody waits for, in the name of this session. */
type Attempt = <T>(id: string, body: () => T) => T | undefined;

/** An alarm whose failures (a full disk) end nothing: they are told by `attempt`. */
export class AttemptedAlarm implements Alarm {
  readonly #alarm: Alarm;
  readonly #id: string;
  readonly #attempt: Attempt;

  constructor(alarm: Alarm, id: string, attempt: Attempt) {
    this.#alarm = alarm;
    this.#id = id;
    this.#attempt = attempt;
  }

  get(): ReturnType<Alarm["get"]> {
    return this.#attempt(this.#id, () => this.#alarm.get());
  }

  set(at: number): ReturnType<Alarm["set"]> {
    return this.#attempt(this.#id, () => this.#alarm.set(at));
  }

  clear(): ReturnType<Alarm["clear"]> {
    return this.#attempt(this.#id, () => this.#alarm.clear());
  }
}
