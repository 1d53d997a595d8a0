/** A limit for what one waits for. @module */

/** Longest delay that timers take, in milliseconds: longer ones fire at once. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1;

/** What the promise brings in its time, or undefined. Rejects where it does. */
export type Within = <T>(promise: Promise<T>) => Promise<T | undefined>;

/**
 * What the promise brings within `ms` milliseconds, or undefined; 0 waits as long as it takes.
 * On the way of every call, hence one promise and no race of two.
 */
export function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  if (ms === 0) return promise;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms, undefined);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** What `promise` brings, or after `ms` a rejection with what `late` makes. */
export function inTime<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms);
    const end = (): void => clearTimeout(timer);
    promise.then(resolve, reject).finally(end);
  });
}
