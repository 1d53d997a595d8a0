/** Time in a cluster: all processes go by the database's clock, however far their own are apart. @module */

/** The cluster's clock. */
export interface Clock {
  /** Milliseconds since 1970, by the database's clock as it was last heard. */
  now(): number;
  /** The database's clock has said this. */
  heard(now: number): void;
}

/** Less than this is the way of the answer. */
const NOISE_MS = 250;

/** Goes as this process's own until the database's is heard. */
export function createClock(own: () => number = Date.now): Clock {
  let ahead = 0;
  return {
    now: () => Math.round(own() + ahead),
    heard(now) {
      const differs = now - (own() + ahead);
      if (Math.abs(differs) > NOISE_MS) ahead += differs;
    },
  };
}

/**
 * What has passed, in ms, on whichever of the machine's two clocks has gone further: the one that counts on while the
 * machine sleeps, and the one that nobody sets.
 */
export function createElapsed(
  monotonic: () => number = () => performance.now(),
  wall: () => number = Date.now,
): { mark(): Mark; since(mark: Mark): number } {
  return {
    mark: () => ({ monotonic: monotonic(), wall: wall() }),
    since: (mark) => Math.max(monotonic() - mark.monotonic, wall() - mark.wall),
  };
}

/** A moment, on both clocks. */
export interface Mark {
  readonly monotonic: number;
  readonly wall: number;
}
