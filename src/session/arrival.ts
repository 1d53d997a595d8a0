/**
 * Whether anybody takes what a session of HTTP+SSE answers: its clients POST on when their stream is gone. In an isolate that
 * has just started, the edge that holds the stream may not have dialled again yet, and is given a moment.
 * @module
 */

export interface Arrival {
  /** A stream has a connection. */
  arrived(): void;
  /** Resolves once one has, or none will come: at once, but in the first moments of an isolate. */
  awaited(): Promise<void>;
}

/** @param until when an edge that held a stream of the last isolate has dialled again, by the same clock as `now` */
export function createArrival(until: number, now: () => number): Arrival {
  let waiting: (() => void)[] = [];
  return {
    arrived() {
      const resumed = waiting;
      waiting = [];
      for (const resume of resumed) resume();
    },
    awaited() {
      const left = until - now();
      if (left <= 0) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
  };
}
