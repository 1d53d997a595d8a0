/**
 * How soon a connection is given what waits for it. Each that comes is caught up from the log, which costs the
 * reading of a whole message of any size; who comes and goes again and again without taking any waits for it a
 * little longer each time. Whoever reads is never kept waiting.
 * @module
 */

/** How patient a stream is with its clients. */
export interface Patience {
  /** How long the next connection waits, in milliseconds. */
  delay(): number;
  /** A connection is over, by its client or by the next; `took` where anything it was sent has reached its client. */
  left(took: boolean): void;
}

/** Connections in a row that cost nothing more: networks break. */
const FREE = 3;
const FIRST_MS = 16;
const MOST_MS = 1000;

/** The first connections wait for nothing. */
export function createPatience(): Patience {
  let fruitless = 0;
  return {
    delay: () => (fruitless < FREE ? 0 : Math.min(MOST_MS, FIRST_MS * 2 ** (fruitless - FREE))),
    left: (took) => void (fruitless = took ? 0 : fruitless + 1),
  };
}
