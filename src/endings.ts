/**
 * Who has been shut out. Sessions end where they are; what else a principal has under way (listeners and calls of
 * 2026-07-28, requests without a session) hears of it here, and so does a request that was let in before and is still
 * being read.
 * @module
 */

/** The part of the hub that carries the names of those who are shut out: no request's topic may be called so. */
export const ENDED_TOPIC = "holdfast/ended";

/** Who has been shut out, as requests ask. */
export interface Endings {
  /** How often anybody has been shut out so far: for a request that comes now. A count, since a clock stands still at times. */
  mark(): number;
  /** @param since the mark as the request came */
  watch(principal: string, since: number): Watch;
  /** True for a principal who was shut out after that mark, as far as is known here. */
  hasEnded(principal: string, since: number): boolean;
}

/** Somebody's request that is under way. */
export interface Watch {
  /** Resolves once its principal is shut out. A promise, since on Workers another request may be the one to say so. */
  readonly ended: Promise<void>;
  /**
   * Hears from now on of who is shut out anywhere, not in this isolate alone. Resolves once nothing is missed any
   * more; rejects where that cannot be had.
   */
  everywhere(): Promise<void>;
  /** The request is over. */
  stop(): void;
}

/** The same, as it is told. */
export interface EndingRegister extends Endings {
  /** The principal is shut out now: whatever was let in before has ended. */
  end(principal: string): void;
}

/** A request may take as long to be read (`bodyTimeoutMs`), and to begin; in ms. */
const REMEMBERED_MS = 3_660_000;

/**
 * Nobody has been shut out yet.
 * @param now milliseconds since 1970
 */
export function createEndings(now: () => number = Date.now): EndingRegister {
  const watches = new Map<string, Set<() => void>>();
  let count = 0;
  /** How each was last shut out, in that order. */
  const ended = new Map<string, { readonly mark: number; readonly at: number }>();

  const hasEnded = (principal: string, since: number): boolean => (ended.get(principal)?.mark ?? 0) > since;

  return {
    mark: () => count,
    hasEnded,
    watch(principal, since) {
      let tell: () => void = () => {};
      const isOut = new Promise<void>((resolve) => (tell = resolve));
      if (hasEnded(principal, since)) tell();
      const own = watches.get(principal) ?? new Set();
      own.add(tell);
      watches.set(principal, own);
      return {
        ended: isOut,
        everywhere: () => Promise.resolve(),
        stop() {
          own.delete(tell);
          if (own.size === 0 && watches.get(principal) === own) watches.delete(principal);
        },
      };
    },
    end(principal) {
      const at = now();
      ended.delete(principal);
      ended.set(principal, { mark: ++count, at });
      for (const [other, last] of ended) {
        if (last.at + REMEMBERED_MS > at) break;
        ended.delete(other);
      }
      for (const tell of watches.get(principal) ?? []) tell();
    },
  };
}
