/** One timer for many pending times, each of which is a row of somebody's. @module */
import { LONGEST_TIMER_MS } from "../within.ts";

/** The timer. */
export interface Ringer {
  /** Something is to ring at this time: makes sure that the timer is set for it. */
  arm(at: number): void;
  /** Pending times have come by another way: makes sure that it is set for the first of them. */
  look(): void;
  /** Rings what is due by now, where the clock was moved and the timer does not know; resolves when it has rung. */
  catchUp(): Promise<void>;
  /** Stops the timer; the pending times stay. */
  stop(): void;
}

/** Where the pending times are, and what is to be done as they fall due. */
export interface RingerOptions<Due> {
  readonly now: () => number;
  /** When the next one rings; Infinity where none is pending. */
  readonly earliest: () => number;
  /** Those that are to ring by now, the earliest first, so many at most. */
  readonly due: (most: number) => readonly Due[];
  /** Rings one, and moves its time on whatever comes of it. */
  readonly ring: (due: Due) => Promise<void>;
}

/** An alarm that could not be moved on, as where the disk is full, is not tried again sooner. */
export const RETRY_MS = 1000;
/** Alarms that ring before others get a turn. */
const BATCH = 50;

/** Rings what is due by now, and from then on each at its time. */
export function createRinger<Due>({ now, earliest, due, ring }: RingerOptions<Due>): Ringer {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let timerAt = Infinity;
  let isRinging = false;
  let rung = Promise.resolve();
  let isStopped = false;

  const arm = (at: number): void => {
    if (isStopped || isRinging || at >= timerAt) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(() => void ringOnce(), Math.min(Math.max(0, at - now()), LONGEST_TIMER_MS));
    letExit(timer);
  };

  const ringDue = async (): Promise<void> => {
    isRinging = true;
    clearTimeout(timer);
    timerAt = Infinity;
    let next: number;
    try {
      for (const one of due(BATCH)) if (!isStopped) await ring(one);
      next = isStopped ? Infinity : earliest();
    } catch {
      next = now() + RETRY_MS;
    }
    isRinging = false;
    arm(next);
  };
  const ringOnce = (): Promise<void> => (isRinging ? rung : (rung = ringDue()));

  arm(earliest());

  return {
    arm,
    look: () => arm(earliest()),
    async catchUp() {
      // What is rung already may have begun before the clock was moved.
      do await ringOnce();
      while (!isStopped && earliest() <= now());
    },
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
