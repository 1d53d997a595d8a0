/** Tells the operator that a limit turns callers away, without a line for each of them. @module */
import type { EventSink } from "./events.ts";

/** @param limit the option that sets it */
export type TellLimit = (limit: string, value: number) => void;

/** How long a limit is not told of again. */
const QUIET_MS = 60_000;

/** Emits `limit.reached` for the first that is turned away, and then once a minute at most for each limit. */
export function createLimitNotice(emit: EventSink, now: () => number = Date.now): TellLimit {
  const told = new Map<string, { at: number; refused: number }>();
  return (limit, value) => {
    const before = told.get(limit) ?? { at: -Infinity, refused: 0 };
    before.refused += 1;
    told.set(limit, before);
    // Neither for ever where the clock is set back.
    if (Math.abs(now() - before.at) < QUIET_MS) return;
    emit("limit.reached", { limit, value, refused: before.refused });
    told.set(limit, { at: now(), refused: 0 });
  };
}
