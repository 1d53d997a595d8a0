/** What an idle connection carries, in each mode, and when it counts as one that does nothing else. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createKeepalive, type Keepalive } from "../../src/edge/keepalive.ts";
import { type HoldfastOptions, resolveOptions } from "../../src/options.ts";

beforeEach(() => void vi.useFakeTimers({ now: 1_700_000_000_500 }));
afterEach(() => void vi.useRealTimers());

const keepaliveOf = (options: HoldfastOptions): Keepalive =>
  createKeepalive("c1", performance.now(), resolveOptions({ onEvent() {}, ...options }));

const textOf = ({ bytes }: { bytes: Uint8Array }): string => new TextDecoder().decode(bytes);

describe("a keepalive", () => {
  test.each([
    ["comment", ": keepalive\n"],
    ["event", "event: keepalive\ndata: {}\n\n"],
  ] as const)("in mode %s is the same each time, and needs no answer", (keepaliveMode, frame) => {
    const keepalive = keepaliveOf({ keepaliveMode });
    expect([keepalive.next(), keepalive.next()].map((next) => [textOf(next), next.count])).toEqual([
      [frame, 1],
      [frame, 2],
    ]);
    expect(keepalive.isUnanswered()).toBe(false);
    expect(keepalive.answer("keepalive.c1.2")).toBe(false);
  });

  test("in mode ping tells the connection's number, age and time", () => {
    const keepalive = keepaliveOf({ keepaliveMode: "ping" });
    keepalive.next();
    vi.advanceTimersByTime(61_000);
    const [event, data = ""] = textOf(keepalive.next()).split("\n");
    expect(event).toBe("event: ping");
    expect(JSON.parse(data.slice("data: ".length))).toEqual({
      event: "ping",
      data: {
        timestamp: 1_700_000_061,
        ping_count: 2,
        connection_id: "c1",
        uptime: 61,
        server_time: "2023-11-14T22:14:21.500Z",
      },
    });
    expect(keepalive.isUnanswered()).toBe(false);
  });

  test("in mode jsonrpc is a request, and only the answer to the last one counts", () => {
    const keepalive = keepaliveOf({ keepaliveMode: "jsonrpc" });
    expect(textOf(keepalive.next())).toBe(
      'event: message\ndata: {"jsonrpc":"2.0","id":"keepalive.c1.1","method":"ping"}\n\n',
    );
    expect(keepalive.isUnanswered()).toBe(true);
    expect(keepalive.answer("keepalive.c2.1")).toBe(false);
    keepalive.next();
    expect(keepalive.answer("keepalive.c1.1")).toBe(false);
    expect(keepalive.isUnanswered()).toBe(true);
    expect(keepalive.answer("keepalive.c1.2")).toBe(true);
    expect(keepalive.isUnanswered()).toBe(false);
    // Once.
    expect(keepalive.answer("keepalive.c1.2")).toBe(false);
  });
});

describe("a connection spins", () => {
  /** What the guard says after keepalives that follow one another after each of these pauses. */
  const after = (options: HoldfastOptions, pauses: readonly number[]): ReturnType<Keepalive["spin"]> => {
    const keepalive = keepaliveOf(options);
    for (const ms of pauses) {
      vi.advanceTimersByTime(ms);
      keepalive.next();
    }
    return keepalive.spin();
  };
  const guard = { rapidMax: 3, rapidWindowMs: 1000 };

  test("where more than rapidMax keepalives come within the window, its end included", () => {
    expect(after(guard, [0, 0, 0])).toBeUndefined();
    expect(after(guard, [0, 300, 300, 400])).toEqual({ count: 4, elapsedMs: 1000 });
  });

  test("not where the window is over before the last of them", () => {
    expect(after(guard, [0, 300, 300, 401])).toBeUndefined();
    // Those that are longer ago do not count any more.
    expect(after(guard, [0, 0, 0, 2000, 500])).toBeUndefined();
    expect(after(guard, [0, 2000, 10, 10, 10])).toEqual({ count: 4, elapsedMs: 30 });
  });

  test("never before the first keepalive, nor with rapidMax 0", () => {
    expect(after(guard, [])).toBeUndefined();
    expect(
      after(
        { ...guard, rapidMax: 0 },
        Array.from({ length: 100 }, () => 0),
      ),
    ).toBeUndefined();
  });
});
