/** Waits that end: each with a bound, and with words for what did not happen. @module */

/** Longest wait for anything that should happen at once. Generous: the machine may be busy. */
export const BOUND_MS = 10_000;

/** The promise, or a rejection that names `what` once the bound has passed; put into words only then, where it is costly. */
export async function within<T>(
  promise: Promise<T>,
  what: string | (() => string),
  ms: number = BOUND_MS,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = (): void =>
      reject(new Error(`${typeof what === "string" ? what : what()}: not within ${ms} ms`));
    timer = setTimeout(fail, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}

/** Calls `probe` until it no longer throws, and returns what it returned; after the bound, its last error. */
export async function eventually<T>(probe: () => T | Promise<T>, ms: number = BOUND_MS): Promise<T> {
  const until = Date.now() + ms;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (Date.now() >= until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
