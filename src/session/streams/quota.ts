/**
 * What one session keeps for replay, over all of its streams: whoever is about to store asks here first.
 * Running totals, so that storing reads nothing; they are read once in an isolate's life.
 * @module
 */

/** Messages kept: how many, and how many characters. */
export interface Kept {
  events: number;
  bytes: number;
}

/** What one session may keep, in messages and in characters. */
export interface QuotaLimits {
  readonly maxSessionEvents: number;
  readonly maxSessionBytes: number;
}

/** What must go before more is kept. */
export interface Excess {
  readonly events: number;
  readonly bytes: number;
}

/** What the session holds for replay, counted as it comes and goes. */
export interface Quota {
  /** Makes room for one more message of this many characters, where it needs to. */
  room(bytes: number): void;
  /** Notes what is kept now, or, below zero, no longer. */
  count(events: number, bytes: number): void;
  /** True where that much more is within the limit, with nothing to go for it. */
  fits(bytes: number): boolean;
}

/**
 * The limits are exceeded by up to a tenth before anything goes, so that looking for what can go serves many messages.
 * @param load what is kept as the isolate begins
 * @param shed lets at least so much go, in the order in which it can be spared
 */
export function createQuota(
  limits: QuotaLimits,
  load: () => Kept,
  shed: (excess: () => Excess) => void,
): Quota {
  return new CountedQuota(limits, load, shed);
}

class CountedQuota implements Quota {
  readonly #limits: QuotaLimits;
  readonly #load: () => Kept;
  readonly #shed: (excess: () => Excess) => void;
  #kept: Kept | undefined;

  constructor(limits: QuotaLimits, load: () => Kept, shed: (excess: () => Excess) => void) {
    this.#limits = limits;
    this.#load = load;
    this.#shed = shed;
  }

  room(bytes: number): void {
    const { maxSessionEvents, maxSessionBytes } = this.#limits;
    const now = this.#held();
    const isOver = now.bytes + bytes > maxSessionBytes * 1.1 || now.events + 1 > maxSessionEvents * 1.1;
    if (isOver) this.#shed(() => this.#excess(bytes));
  }

  count(events: number, bytes: number): void {
    const now = this.#held();
    now.events += events;
    now.bytes += bytes;
  }

  fits(bytes: number): boolean {
    return this.#held().bytes + bytes <= this.#limits.maxSessionBytes;
  }

  #excess(bytes: number): Excess {
    const { maxSessionEvents, maxSessionBytes } = this.#limits;
    const now = this.#held();
    return { events: now.events + 1 - maxSessionEvents, bytes: now.bytes + bytes - maxSessionBytes };
  }

  #held(): Kept {
    return (this.#kept ??= this.#load());
  }
}
