/**
 * Whether anybody takes what a session of HTTP+SSE answers: its clients POST on when their stream is gone. An edge that
 * holds the stream may not have dialled again yet, where the isolate has just started or the link has just broken, and is
 * given a moment.
 * @module
 */

/** The moment in which an edge may dial again. */
export interface Arrival {
  /** A link has broken: its edge is expected to dial again. */
  broke(): void;
  /** A stream has a connection. */
  arrived(): void;
  /** Resolves once one has, or none is expected any more: mostly at once. */
  awaited(): Promise<void>;
}

/** @param redialMs how long edges take to dial again */
export function createArrival(redialMs: number, now: () => number): Arrival {
  return new RedialWindow(redialMs, now);
}

class RedialWindow implements Arrival {
  readonly #redialMs: number;
  readonly #now: () => number;
  #until: number;
  #waiting: (() => void)[] | undefined;

  constructor(redialMs: number, now: () => number) {
    this.#redialMs = redialMs;
    this.#now = now;
    this.#until = now() + redialMs;
  }

  broke(): void {
    this.#until = this.#now() + this.#redialMs;
  }

  arrived(): void {
    const resumed = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const resume of resumed) resume();
  }

  awaited(): Promise<void> {
    const left = this.#until - this.#now();
    if (left <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, left);
      (this.#waiting ??= []).push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
