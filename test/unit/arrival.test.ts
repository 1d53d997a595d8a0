/** How long a request of HTTP+SSE waits for the stream that is to answer it. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createArrival } from "../../src/session/arrival.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const settled = (promise: Promise<void>): (() => boolean) => {
  let is = false;
  void promise.then(() => (is = true));
  return () => is;
};

test("until the time of edges that dial again is over, for all who wait", async () => {
  const arrival = createArrival(Date.now() + 1000, Date.now);
  const waits = [settled(arrival.awaited())];
  await vi.advanceTimersByTimeAsync(600);
  waits.push(settled(arrival.awaited()));
  await vi.advanceTimersByTimeAsync(399);
  expect(waits.map((is) => is())).toEqual([false, false]);
  await vi.advanceTimersByTimeAsync(1);
  expect(waits.map((is) => is())).toEqual([true, true]);
  const late = settled(arrival.awaited());
  await vi.advanceTimersByTimeAsync(0);
  expect(late()).toBe(true);
});

test("until the stream is there, and no timer is left", async () => {
  const arrival = createArrival(Date.now() + 1000, Date.now);
  const waits = [settled(arrival.awaited()), settled(arrival.awaited())];
  arrival.arrived();
  await vi.advanceTimersByTimeAsync(0);
  expect(waits.map((is) => is())).toEqual([true, true]);
  expect(vi.getTimerCount()).toBe(0);
});

test("not at all where edges die with the session's isolate", async () => {
  const waits = settled(createArrival(Date.now(), Date.now).awaited());
  await vi.advanceTimersByTimeAsync(0);
  expect(waits()).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});
