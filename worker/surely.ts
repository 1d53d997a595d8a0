/**
 * What the client of a standing stream has for certain, of what its edge has passed on. An edge says so as soon as the
 * runtime has taken the bytes, and where the process dies in that moment they die with it: a client that had read nothing
 * yet has no event id to ask for them by, so that what it goes on from must not be behind them. What was sent a while ago
 * and acknowledged is taken for read; more nobody can know without a word of the client's.
 * @module
 */

/** How long what was sent is held to be on its way, in milliseconds. Less than the edge's time to acknowledge little. */
const UNDERWAY_MS = 500;
/** What is sent within so many milliseconds is remembered as one. */
const TOGETHER_MS = 100;

/** How far a connection's client has come for certain. */
export interface Surely {
  /** Everything up to `place` goes out now. */
  sent(place: number): void;
  /** Everything up to `acked` was acknowledged: how much of it the client has. */
  has(acked: number): number;
}

/** Everything up to `place` was sent long ago. */
export function createSurely(place: number, now: () => number): Surely {
  let certain = place;
  /** Younger: `[place, when it was sent]`, oldest first, a handful. */
  const young: [number, number][] = [];
  const ripen = (): number => {
    const at = now();
    while (young[0] !== undefined && at - young[0][1] >= UNDERWAY_MS) certain = young.shift()?.[0] ?? certain;
    return at;
  };
  return {
    sent(upTo) {
      const at = ripen();
      const last = young.at(-1);
      if (last !== undefined && at - last[1] < TOGETHER_MS) last[0] = upTo;
      else young.push([upTo, at]);
    },
    has(acked) {
      ripen();
      return Math.min(acked, certain);
    },
  };
}
