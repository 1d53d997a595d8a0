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

/** An alarm is never set closer than this: a duty that keeps failing must not become a loop. */
const LEAST_AHEAD_MS = 1000;

/** The duties' side of the alarm. What rejects is the host's alarm. */
export interface Deadlines {
  /** Makes sure that the alarm rings by `at`. */
  by(at: number): Promise<void>;
  /** Called as the alarm rings: the pending time is used up. `next` is the next one, if any. */
  rearm(next: number | undefined): Promise<void>;
}

/** Reads the host's alarm at the first need; `now` in milliseconds since 1970. */
export function createDeadlines(alarm: Alarm, now: () => number): Deadlines {
  return new OneAlarm(alarm, now);
}

class OneAlarm implements Deadlines {
  readonly #alarm: Alarm;
  readonly #now: () => number;
  #armed: number | undefined;
  // An isolate that has just started does not know what its predecessor left pending.
  #known = false;
  #queue: Promise<void> | undefined;

  constructor(alarm: Alarm, now: () => number) {
    this.#alarm = alarm;
    this.#now = now;
  }

  by(at: number): Promise<void> {
    if (this.#known && this.#armed !== undefined && this.#armed <= at)
      return this.#queue ?? Promise.resolve();
    return this.#inTurn(async () => {
      if (!this.#known) this.#armed = await this.#alarm.get();
      this.#known = true;
      if (this.#armed === undefined || this.#armed > at) await this.#set(at);
    });
  }

  rearm(next: number | undefined): Promise<void> {
    return this.#inTurn(async () => {
      this.#known = true;
      this.#armed = undefined;
      if (next === undefined) await this.#alarm.clear();
      else await this.#set(next);
    });
  }

  async #set(at: number): Promise<void> {
    this.#armed = Math.max(at, this.#now() + LEAST_AHEAD_MS);
    await this.#alarm.set(this.#armed);
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    return (this.#queue = (this.#queue ?? Promise.resolve()).then(step, step));
  }
}
