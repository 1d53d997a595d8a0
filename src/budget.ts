/**
 * Budgets: what may be kept or be under way at once, of one kind, by all or by each. Whoever is about to
 * grow something asks first, and is refused rather than believed.
 * @module
 */

/** A quantity (of bytes, of streams, …) that never exceeds its limit. */
export interface Budget {
  /** How much is taken now. */
  readonly used: number;
  /** Takes `amount`, or takes nothing and returns false where the limit would be exceeded. */
  take(amount: number): boolean;
  /** Takes `amount` over the limit too: it is there already, as what an earlier process has left. */
  add(amount: number): void;
  /** Gives back what was taken. */
  give(amount: number): void;
}

/** @param limit the most that may be taken at once; Infinity for no limit */
export function createBudget(limit: number): Budget {
  let used = 0;
  return {
    get used() {
      return used;
    },
    take(amount) {
      if (used + amount > limit) return false;
      used += amount;
      return true;
    },
    add(amount) {
      used += amount;
    },
    give(amount) {
      used = Math.max(0, used - amount);
    },
  };
}

/** One budget for each key, such as a principal. */
export interface KeyedBudget {
  take(key: string, amount: number): boolean;
  /** As {@link Budget.add}. */
  add(key: string, amount: number): void;
  give(key: string, amount: number): void;
}

/**
 * A key under which nothing is taken is forgotten: names that come and go cost nothing.
 * @param limit the most that may be taken under one key
 */
export function createKeyedBudget(limit: number): KeyedBudget {
  const used = new Map<string, number>();
  return {
    take(key, amount) {
      const next = (used.get(key) ?? 0) + amount;
      if (next > limit) return false;
      if (next > 0) used.set(key, next);
      return true;
    },
    add(key, amount) {
      const next = (used.get(key) ?? 0) + amount;
      if (next > 0) used.set(key, next);
    },
    give(key, amount) {
      const next = (used.get(key) ?? 0) - amount;
      if (next > 0) used.set(key, next);
      else used.delete(key);
    },
  };
}
