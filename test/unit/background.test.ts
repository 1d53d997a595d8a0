/** Work after the answer: what is told of it, what waits for it. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createBackground, createWaitUntil } from "../../src/background.ts";
import type { EventSink } from "../../src/events.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const rig = (options: Partial<Parameters<typeof createBackground>[1]> = {}) => {
  const events: unknown[] = [];
  const emit = ((type: string, fields: object) => void events.push({ type, ...fields })) as EventSink;
  return { events, emit, background: createBackground(emit, { now: Date.now, ...options }) };
};

const after = (ms: number, fails = false): Promise<void> =>
  new Promise((resolve, reject) => setTimeout(() => (fails ? reject(new Error("no")) : resolve()), ms));

describe("waitUntil", () => {
  test("hands the platform what never rejects, and tells the failure once", async () => {
    const { events, emit } = rig();
    const kept: Promise<void>[] = [];
    const waitUntil = createWaitUntil(emit, (work) => void kept.push(work));
    waitUntil(Promise.reject(new Error("no")));
    waitUntil(undefined as never);
    expect(await Promise.all(kept)).toEqual([undefined, undefined]);
    expect(events).toMatchObject([{ type: "hook.error", hook: "waitUntil", message: "no" }]);
  });
});

describe("a place", () => {
  test("is busy until all of it is done, whatever comes of it", async () => {
    const onBusy = vi.fn<() => void>();
    const { background } = rig({ onBusy });
    expect(background.isBusy()).toBe(false);
    background.waitUntil(after(10));
    background.waitUntil(after(20, true));
    expect(onBusy).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(10);
    expect(background.isBusy()).toBe(true);
    await vi.advanceTimersByTimeAsync(10);
    expect(background.isBusy()).toBe(false);
    background.waitUntil(after(10));
    expect(onBusy).toHaveBeenCalledTimes(2);
  });

  test("is not kept for longer than it may be", async () => {
    const { background } = rig({ mostMs: 100 });
    background.waitUntil(new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(99);
    expect(background.isBusy()).toBe(true);
    await vi.advanceTimersByTimeAsync(1);
    expect(background.isBusy()).toBe(false);
  });

  test("is settled once all of it is done, at once where there is nothing, and after the limit in any case", async () => {
    const { background } = rig();
    await background.settled(100);
    const settled = vi.fn<() => void>();
    background.waitUntil(after(10, true));
    void background.settled(100).then(settled);
    await vi.advanceTimersByTimeAsync(9);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(settled).toHaveBeenCalledTimes(1);

    background.waitUntil(new Promise(() => {}));
    void background.settled(100).then(settled);
    await vi.advanceTimersByTimeAsync(99);
    expect(settled).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(settled).toHaveBeenCalledTimes(2);
  });
});
