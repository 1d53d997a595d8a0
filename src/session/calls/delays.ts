/**
 * Delays that are all equally long, behind one of the runtime's timers: nearly every one is called off
 * long before it is due, and a timer made and cleared for each costs more than the rest of a quick call.
 * @module
 */

/** What waits. */
export interface Waiting {
  /** Its delay is over. Must not throw. */
  late(): void;
}

/** Delays of one length. */
export interface Delay {
  /** Has `waiting` told after the delay; returns what calls it off. */
  start(waiting: Waiting): number;
  /** Calls it off. One that is over, or was called off before, is none any more. */
  stop(ticket: number): void;
}

/** @param ms how long each of them is, in milliseconds */
export function createDelay(ms: number): Delay {
  // Side by side, in the order in which they are due, and not an object for each: what waits for long on
  // the way of every call makes V8 allocate its kind, and what that reaches, among what lives long.
  const dues: number[] = [];
  const held: (Waiting | undefined)[] = [];
  /** How many there were before the first that is held. */
  let passed = 0;
  let isArmed = false;

  const arm = (): void => {
    const [next] = dues;
    isArmed = next !== undefined;
    if (next !== undefined) setTimeout(ring, Math.max(0, next - performance.now()));
  };

  const ring = (): void => {
    // Timers count whole milliseconds and may ring a part of one early.
    const now = performance.now() + 1;
    const rest = dues.findIndex((due, index) => held[index] !== undefined && due > now);
    const count = rest < 0 ? dues.length : rest;
    const due = held.splice(0, count);
    dues.splice(0, count);
    passed += count;
    arm();
    for (const waiting of due) waiting?.late();
  };

  return {
    start(waiting) {
      const ticket = passed + held.push(waiting) - 1;
      dues.push(performance.now() + ms);
      if (!isArmed) arm();
      return ticket;
    },
    stop(ticket) {
      if (ticket >= passed) held[ticket - passed] = undefined;
    },
  };
}
