/**
 * What is under way, added and taken again with every call, without the garbage that a `Set` makes of its
 * tables as it grows and shrinks (see `session/server/correlation.ts`).
 * @module
 */

/** A set of what is under way. */
export interface Slots<T> {
  /** Returns where it is, until it is taken. */
  add(item: T): number;
  take(slot: number): void;
  /** Those that are there, in no order. */
  items(): T[];
}

/** An empty set; its room grows with the most that was ever in it. */
export function createSlots<T extends object>(): Slots<T> {
  const held: (T | undefined)[] = [];
  const free: number[] = [];
  return {
    add(item) {
      const slot = free.pop() ?? held.length;
      held[slot] = item;
      return slot;
    },
    take(slot) {
      if (held[slot] === undefined) return;
      held[slot] = undefined;
      free.push(slot);
    },
    items: () => held.filter((item) => item !== undefined),
  };
}
