/** A clock that stands still until a test moves it, for sessions that are opened under it. @module */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, vi } from "vitest";

/** Stops the clock for each test of the file. Timers run on: only dates are made up. */
export function useClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

export function advance(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

/** When the object's alarm is due, from now; undefined where none is pending. */
export function alarmIn(stub: DurableObjectStub): Promise<number | undefined> {
  return runInDurableObject(stub, async (_, { storage }) => {
    const at = await storage.getAlarm();
    return at === null ? undefined : at - Date.now();
  });
}

/** Moves the clock to when the object's alarm is due, and rings it. Returns how far that was. */
export async function ringNext(stub: DurableObjectStub): Promise<number> {
  const due = await alarmIn(stub);
  if (due === undefined) throw new Error("no alarm is pending");
  advance(due);
  await runDurableObjectAlarm(stub);
  return due;
}

/** Rings the alarm each time it is due, until `ms` have passed. */
export async function pass(stub: DurableObjectStub, ms: number): Promise<void> {
  const until = Date.now() + ms;
  for (;;) {
    const due = await alarmIn(stub);
    if (due === undefined || Date.now() + due > until) break;
    await ringNext(stub);
  }
  vi.setSystemTime(until);
}
