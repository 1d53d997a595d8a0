/**
 * The alarms of all sessions, behind one timer. Each pending time is a row, so that a process that
 * starts on the file finds what its predecessor left, and rings what fell due in between.
 * @module
 */
import type { Alarm } from "../session/deadlines.ts";
import type { SqlStore } from "../session/store/schema.ts";
import { LONGEST_TIMER_MS } from "../within.ts";

/** The alarms of all sessions of one database. */
export interface Alarms {
  /** The alarm of the session under `key`. */
  of(key: number): Alarm;
  /** Stops the timer; the pending times stay. */
  stop(): void;
}

/** An alarm that could not be moved on, as where the disk is full, is not tried again sooner. */
const RETRY_MS = 1000;
/** Alarms that ring before others get a turn. */
const BATCH = 50;

/** @param ring does what the session has to do by now, and sets its alarm anew or clears it */
export function createAlarms(
  sql: SqlStore,
  now: () => number,
  ring: (id: string, key: number) => Promise<void>,
): Alarms {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let timerAt = Infinity;
  let isRinging = false;
  let isStopped = false;

  const arm = (at: number): void => {
    if (isStopped || isRinging || at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(() => void ringDue(), Math.min(Math.max(0, at - now()), LONGEST_TIMER_MS));
    letExit(timer);
  };

  const earliest = (): number =>
    sql.exec<{ at: number | null }>("SELECT min(at) AS at FROM alarm")[0]?.at ?? Infinity;

  const ringOne = async (id: string | null, key: number, at: number): Promise<void> => {
    // One that fails must not keep the others from ringing.
    if (id !== null) await ring(id, key).catch(() => {});
    // Rung without effect: a session that is not there, or that could not do its duty.
    if (id === null) sql.exec("DELETE FROM alarm WHERE key = ?", key);
    else sql.exec("UPDATE alarm SET at = ? WHERE key = ? AND at = ?", now() + RETRY_MS, key, at);
  };

  const ringDue = async (): Promise<void> => {
    isRinging = true;
    timerAt = Infinity;
    let next: number;
    try {
      const due = sql.exec<{ id: string | null; key: number; at: number }>(
        `SELECT session.id AS id, alarm.key AS key, alarm.at AS at FROM alarm LEFT JOIN session USING (key)
          WHERE alarm.at <= ? ORDER BY alarm.at LIMIT ?`,
        now(),
        BATCH,
      );
      for (const { id, key, at } of due) if (!isStopped) await ringOne(id, key, at);
      next = isStopped ? Infinity : earliest();
    } catch {
      next = now() + RETRY_MS;
    }
    isRinging = false;
    arm(next);
  };

  // A process may have died between the first row of a session and its alarm.
  sql.exec(
    "INSERT INTO alarm (key, at) SELECT key, ? FROM session WHERE key NOT IN (SELECT key FROM alarm)",
    now(),
  );
  arm(earliest());

  return {
    of: (key) => ({
      get: () => sql.exec<{ at: number }>("SELECT at FROM alarm WHERE key = ?", key)[0]?.at,
      set(at) {
        sql.exec("INSERT OR REPLACE INTO alarm (key, at) VALUES (?, ?)", key, at);
        arm(at);
      },
      clear() {
        sql.exec("DELETE FROM alarm WHERE key = ?", key);
      },
    }),
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** A pending duty alone is no reason for the process to stay: the next one finds it in the store. */
export function letExit(timer: ReturnType<typeof setTimeout>): void {
  (timer as { unref?: () => void }).unref?.();
}
