/** Counts what comes in bursts, and tells of each burst once. @module */

/** What is counted. */
export interface Tally {
  add(count: number): void;
  /** Tells what has been counted and not been told yet. */
  flush(): void;
}

/** @param tell hears, at most once in `ms`, how many there have been */
export function createTally(ms: number, tell: (count: number) => void): Tally {
  let counted = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = (): void => {
    if (timer !== undefined) clearTimeout(timer);
    timer = undefined;
    const count = counted;
    counted = 0;
    if (count > 0) tell(count);
  };

  return {
    add(count) {
      counted += count;
      timer ??= setTimeout(flush, ms);
    },
    flush,
  };
}
