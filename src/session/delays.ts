/**
 * Delays that are all equally long, behind one of the runtime's timers: nearly every one is called off
 * long before it is due, and a timer made and cleared for each costs more than the rest of a quick call.
 * @module
 */

/** Runs `action`, which must not throw, after the delay; the returned function calls it off. */
export type Delay = (action: () => void) => () => void;

interface Waiting {
  readonly at: number;
  /** Undefined once it is called off. */
  action: (() => void) | undefined;
}

export function createDelay(ms: number): Delay {
  /** In the order in which they are due. */
  let queue: Waiting[] = [];
  let isArmed = false;

  const arm = (): void => {
    const [next] = queue;
    isArmed = next !== undefined;
    if (next !== undefined) setTimeout(ring, Math.max(0, next.at - performance.now()));
  };

  const ring = (): void => {
    // Timers count whole milliseconds and may ring a part of one early.
    const now = performance.now() + 1;
    const rest = queue.findIndex(({ at, action }) => action !== undefined && at > now);
    const due = rest < 0 ? queue : queue.slice(0, rest);
    queue = rest < 0 ? [] : queue.slice(rest);
    arm();
    for (const { action } of due) action?.();
  };

  return (action) => {
    const waiting: Waiting = { at: performance.now() + ms, action };
    queue.push(waiting);
    if (!isArmed) arm();
    return () => (waiting.action = undefined);
  };
}
