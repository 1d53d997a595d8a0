/**
 * How soon a connection is given what waits for it. Each that comes is caught up from the log, which costs the
 * reading of a whole message of any size; who comes and goes again and again without taking any waits for it a
 * little longer each time. Whoever reads is never kept waiting.
 * @module
 */

/** Connections in a row that cost nothing more: networks break. */
const FREE = 3;
const FIRST_MS = 16;
const MOST_MS = 1000;

/** How patient a stream is with its clients. The first connections wait for nothing. */
export class Patience {
  #fruitless = 0;

  /** How long the next connection waits, in milliseconds. */
  delay(): number {
    const over = this.#fruitless - FREE;
    return over < 0 ? 0 : Math.min(MOST_MS, FIRST_MS * 2 ** over);
  }

  /** A connection is over, by its client or by the next; `took` where anything it was sent has reached its client. */
  left(took: boolean): void {
    this.#fruitless = took ? 0 : this.#fruitless + 1;
  }
}
