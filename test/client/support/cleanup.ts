/** What a test has opened, closed behind it; files that use it say `afterEach(cleanUp)`. @module */
import { vi } from "vitest";

/** What is still to be undone. */
export const cleanups: (() => Promise<unknown>)[] = [];

export const closing = <T extends { close(): Promise<unknown> }>(closeable: T): T => {
  cleanups.push(() => closeable.close());
  return closeable;
};

/** Brings back the real clock, then undoes it all, the last first. */
export async function cleanUp(): Promise<void> {
  vi.useRealTimers();
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
}
