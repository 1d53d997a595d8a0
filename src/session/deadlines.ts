/**
 * The one alarm of a session. Whoever has a duty says by when; the alarm is set to the earliest and
 * moved only forward in time by the alarm itself, so that a duty which is put off (a session that is
 * used again) costs no write.
 * @module
 */

/** The host's alarm: one pending time, kept across restarts. */
export interface Alarm {
  get(): Promise<number | undefined> | number | undefined;
  set(at: number): Promise<void> | void;
  clear(): Promise<void> | void;
}

/** The duties' side of the alarm. What rejects is the host's alarm. */
export interface Deadlines {
  /** Makes sure that the alarm rings by `at`. */
  by(at: number): Promise<void>;
  /** Called as the alarm rings: the pending time is used up. `next` is the next one, if any. */
  rearm(next: number | undefined): Promise<void>;
}

/** An alarm is never set closer than this: a duty that keeps failing must not become a loop. */
const LEAST_AHEAD_MS = 1000;

/** Reads the host's alarm at the first need; `now` in milliseconds since 1970. */
export function createDeadlines(alarm: Alarm, now: () => number): Deadlines {
  let armed: number | undefined;
  // An isolate that has just started does not know what its predecessor left pending.
  let known = false;
  let queue: Promise<void> = Promise.resolve();

  const set = async (at: number): Promise<void> => {
    armed = Math.max(at, now() + LEAST_AHEAD_MS);
    await alarm.set(armed);
  };

  const inTurn = (step: () => Promise<void>): Promise<void> => (queue = queue.then(step, step));

  return {
    by(at) {
      if (known && armed !== undefined && armed <= at) return queue;
      return inTurn(async () => {
        if (!known) armed = await alarm.get();
        known = true;
        if (armed === undefined || armed > at) await set(at);
      });
    },
    rearm: (next) =>
      inTurn(async () => {
        known = true;
        armed = undefined;
        if (next === undefined) await alarm.clear();
        else await set(next);
      }),
  };
}
