/**
 * How long to wait before trying again.
 * @module
 */

import { ANYTHING, checkGiven, type Kind } from "../setup.ts";

/** When to try again after a failure. Each field has a default; see {@link defaultBackoff}. From 0 to 2^31 - 1. */
export interface Backoff {
  /** Tries after a failure, in a row. Default 5. */
  attempts: number;
  /** Wait before the first try, in milliseconds. Default 1000. */
  initialDelayMs: number;
  /** What each wait is multiplied with to give the next. Default 2. */
  factor: number;
  /** Longest wait, in milliseconds. Default 30 000. */
  maxDelayMs: number;
  /** How much longer chance may make each wait, as a share of it, so that clients do not return in step. Default 0.5. */
  jitter: number;
  /** Longest time that opening a session anew may take, in milliseconds. Default 10 000. */
  timeoutMs: number;
}

/** 1, 2, 4, 8 and 16 s, each up to a half longer: long enough for a server to be replaced. */
export const defaultBackoff: Readonly<Backoff> = {
  attempts: 5,
  initialDelayMs: 1000,
  factor: 2,
  maxDelayMs: 30_000,
  jitter: 0.5,
  timeoutMs: 10_000,
};

/** Bounds are looked at as the defaults are filled in. */
const KINDS: Readonly<Record<keyof Backoff, Kind>> = {
  attempts: ANYTHING,
  initialDelayMs: ANYTHING,
  factor: ANYTHING,
  maxDelayMs: ANYTHING,
  jitter: ANYTHING,
  timeoutMs: ANYTHING,
};

/** Timers fire at once where they are set to more. */
export const LONGEST_MS = 0x7fff_ffff;

/**
 * Fills in the defaults.
 * @throws {TypeError} naming a field that there is not
 * @throws {RangeError} naming the field that is out of bounds
 */
export function resolveBackoff(given: Partial<Backoff> = {}): Backoff {
  checkGiven("retry", given, KINDS);
  const backoff: Backoff = { ...defaultBackoff, ...given };
  for (const name in backoff) {
    const value = backoff[name as keyof Backoff];
    if (!(value >= 0 && value <= LONGEST_MS))
      throw new RangeError(`retry.${name} must be from 0 to ${LONGEST_MS}`);
  }
  return backoff;
}

/**
 * The wait after so many failures in a row, in milliseconds: 0 of them give the first wait.
 * @param leastMs the server's own wish: the first wait, and the least of the others; NaN for none
 */
export function delayAfter(
  failures: number,
  { initialDelayMs, factor, maxDelayMs, jitter }: Backoff,
  leastMs: number = NaN,
): number {
  const own = Math.min(initialDelayMs * factor ** failures, maxDelayMs);
  const wait = Math.max(leastMs || own, failures && own);
  return Math.min(wait * (1 + jitter * Math.random()), LONGEST_MS);
}

/** Resolves after `ms` milliseconds, or as soon as the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", settle);
      resolve();
    };
    const timer = setTimeout(settle, ms);
    signal.addEventListener("abort", settle);
    if (signal.aborted) settle();
  });
}
