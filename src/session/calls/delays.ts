/**
 * Delays that are all equally long, behind one of the runtime's timers: nearly every one is called off
 * long before it is due, and a timer made and cleared for each costs more than the rest of a quick call.
 * @module
 */

/** Runs `action`, which must not throw, after the delay; the returned function calls it off. */
export type Delay = (action: () => void) => () => void;

/** @param ms how long each of them is, in milliseconds */
export function createDelay(ms: number): Delay {
  // Side by side, in the order in which they are due, and not an object for each: what waits for long on
  // the way of every call makes V8 allocate its kind, and what that reaches, among what lives long.
  const dues: number[] = [];
  const actions: ((() => void) | undefined)[] = [];
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
    const rest = dues.findIndex((due, index) => actions[index] !== undefined && due > now);
    const count = rest < 0 ? dues.length : rest;
    const due = actions.splice(0, count);
    dues.splice(0, count);
    passed += count;
    arm();
    for (const action of due) action?.();
  };

  return (action) => {
    const number = passed + actions.push(action) - 1;
    dues.push(performance.now() + ms);
    if (!isArmed) arm();
    return () => {
      if (number >= passed) actions[number - passed] = undefined;
    };
  };
}
