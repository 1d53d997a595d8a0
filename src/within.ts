/** A limit for what one waits for. @module */

/** Longest delay that timers take, in milliseconds: longer ones fire at once. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1;

/** What the promise brings within `ms` milliseconds, or undefined; 0 waits as long as it takes. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  if (ms === 0) return promise;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}
