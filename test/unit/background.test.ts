/** Work after the answer: what is told of it, what waits for it. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createBackground, createWaitUntil } from "../../src/background.ts";
import type { EventSink } from "../../src/events.ts";
import { parsePayload } from "../../src/jsonrpc/parse.ts";
import { openDatabase } from "../../src/local/database.ts";
import { resolveOptions } from "../../src/options.ts";
import { createDelay } from "../../src/session/calls/delays.ts";
import { createSession } from "../../src/session/session.ts";
import { createSessionStore } from "../../src/session/store/store.ts";
import { initialize } from "../support/messages.ts";
import { createTestServer } from "../support/test-server.ts";

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

test("a session's alarm keeps its isolate awake for it, and no longer", async () => {
  let end = (): void => {};
  const work = new Promise<void>((resolve) => (end = resolve));
  let at: number | undefined;
  const session = createSession({
    id: "a".repeat(64),
    store: createSessionStore(openDatabase(undefined), 1),
    settings: resolveOptions({ logLevel: "silent" }),
    createServer(context) {
      context.waitUntil(work);
      return createTestServer(context);
    },
    env: undefined,
    alarm: { get: () => at, set: (time) => void (at = time), clear: () => void (at = undefined) },
    successors: { create: () => Promise.reject(new Error("none")), isLive: () => Promise.resolve(false) },
    userChannel: () => () => Promise.reject(new Error("no users here")),
    redialMs: 0,
    quick: createDelay(100),
    erase: async () => {},
    now: Date.now,
  });
  const text = JSON.stringify(initialize());
  const parsed = parsePayload(text);
  if ("failure" in parsed) throw new Error("the test sends what is no message");
  const caller = { principal: undefined, authInfo: undefined, url: "http://h/mcp", headers: () => ({}) };
  const answered = session.post(
    {
      opens: true,
      transport: "streamable",
      caller,
      text,
      payload: parsed.payload,
      accept: "any",
      needsStream: false,
      connectionId: () => "post",
    },
    () => {
      throw new Error("it is answered at once");
    },
  );
  await vi.advanceTimersByTimeAsync(50);
  expect((await answered).kind).toBe("json");
  expect(session.isIdle()).toBe(false);
  for (let rings = 0; rings < 3; rings++) {
    expect(at).toBeLessThanOrEqual(Date.now() + 20_000);
    vi.setSystemTime(at as number);
    at = undefined;
    await session.alarm();
  }
  end();
  await vi.advanceTimersByTimeAsync(0);
  expect(session.isIdle()).toBe(true);
  vi.setSystemTime(at as unknown as number);
  at = undefined;
  await session.alarm();
  expect(at).not.toBeLessThanOrEqual(Date.now() + 20_000);
});
