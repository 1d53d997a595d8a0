/**
 * Limits that are all equally long, behind one timer: nearly everything comes long before its time is up, and a timer
 * that is made and cleared for each call costs a tenth of a quick one on Node. Not for a host whose timers end with the
 * request that set them.
 * @module
 */
import type { Within } from "../within.ts";
import { letExit } from "./ringer.ts";
import { createSlots } from "./slots.ts";

interface Waiting {
  readonly due: number;
  /** Nothing is waited for any more. */
  readonly giveUp: (nothing: undefined) => void;
  /** Where it is among the others; undefined once it is over. */
  slot: number | undefined;
}

/**
 * Gives promises this time, each from when it is handed over.
 * @param ms milliseconds
 */
export function createSharedLimit(ms: number): Within {
  const waiting = createSlots<Waiting>();
  let isArmed = false;

  const over = (wait: Waiting): void => {
    if (wait.slot !== undefined) waiting.take(wait.slot);
    wait.slot = undefined;
  };

  const arm = (delay: number): void => {
    isArmed = true;
    letExit(setTimeout(ring, delay));
  };

  const ring = (): void => {
    isArmed = false;
    // Timers count whole milliseconds and may ring a part of one early.
    const now = performance.now() + 1;
    let next = Infinity;
    for (const wait of waiting.items()) {
      if (wait.due > now) next = Math.min(next, wait.due);
      else {
        over(wait);
        wait.giveUp(undefined);
      }
    }
    if (next < Infinity) arm(next - now + 1);
  };

  return (promise) =>
    new Promise((resolve, reject) => {
      const wait: Waiting = { due: performance.now() + ms, giveUp: resolve, slot: undefined };
      wait.slot = waiting.add(wait);
      if (!isArmed) arm(ms);
      promise.then(
        (value) => {
          over(wait);
          resolve(value);
        },
        (error: unknown) => {
          over(wait);
          reject(error as Error);
        },
      );
    });
}
