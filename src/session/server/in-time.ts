/** A promise that must not be waited for any longer than so long. @module */

/** What `promise` brings, or after `ms` a rejection with what `late` makes. */
export function inTime<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms);
    const end = (): void => clearTimeout(timer);
    promise.then(resolve, reject).finally(end);
  });
}
