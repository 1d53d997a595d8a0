/** Limits behind one timer: each has its own time all the same, and what is late disturbs nobody. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLocalMcp } from "../../src/local/index.ts";
import { createSharedLimit } from "../../src/local/shared-limit.ts";
import { createBodyReader } from "../../src/http/body.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("limits behind one timer", () => {
  beforeEach(() => void vi.useFakeTimers());

  const never = (): Promise<string> => new Promise(() => {});

  it("each gives its whole time and no more, whenever it began", async () => {
    const inTime = createSharedLimit(1000);
    const over: string[] = [];
    const wait = (name: string): void =>
      void inTime(never()).then((brought) => over.push(`${name} ${brought}`));
    wait("first");
    await vi.advanceTimersByTimeAsync(400);
    wait("second");
    await vi.advanceTimersByTimeAsync(599);
    expect(over).toEqual([]);
    await vi.advanceTimersByTimeAsync(2);
    expect(over).toEqual(["first undefined"]);
    await vi.advanceTimersByTimeAsync(397);
    expect(over).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(4);
    expect(over).toEqual(["first undefined", "second undefined"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("takes one timer for however many, and none once the last of its time has passed", async () => {
    const inTime = createSharedLimit(1000);
    for (let n = 0; n < 100; n++) expect(await inTime(Promise.resolve(n))).toBe(n);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(vi.getTimerCount()).toBe(0);
    expect(await inTime(Promise.resolve("again"))).toBe("again");
    expect(vi.getTimerCount()).toBe(1);
  });

  it("rejects as what it waits for does", async () => {
    await expect(createSharedLimit(1000)(Promise.reject(new Error("cut off")))).rejects.toThrow("cut off");
  });

  it("lets what comes too late take nobody else's time", async () => {
    const inTime = createSharedLimit(1000);
    const late = Promise.withResolvers<string>();
    const first = inTime(late.promise);
    await vi.advanceTimersByTimeAsync(1001);
    expect(await first).toBeUndefined();
    // It takes the place of the one that was given up.
    const second = inTime(never());
    late.resolve("too late");
    const outcome = vi.fn();
    void second.then(outcome);
    await vi.advanceTimersByTimeAsync(1002);
    expect(outcome.mock.calls).toEqual([[undefined]]);
  });

  it("keeps the process up for nothing", () => {
    vi.useRealTimers();
    const unref = vi.fn();
    vi.spyOn(globalThis, "setTimeout").mockReturnValue({ unref } as never);
    void createSharedLimit(1000)(never());
    expect(unref).toHaveBeenCalledOnce();
  });

  it("holds a body to its time", async () => {
    const limits = { maxBodyBytes: 100, maxBodyBytesInFlight: 100, bodyTimeoutMs: 1000 };
    const reader = createBodyReader(limits, createSharedLimit(1000));
    const body = new ReadableStream();
    const headers = { "content-length": "10" };
    const request = new Request("https://mcp.example", {
      method: "POST",
      body,
      headers,
      duplex: "half",
    } as RequestInit);
    const outcome = vi.fn();
    void reader.read(request, 100, () => "read").then(outcome);
    await vi.advanceTimersByTimeAsync(999);
    expect(outcome).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2);
    expect(outcome.mock.lastCall).toMatchObject([{ failure: { status: 408 } }]);
    // Its room is free again.
    expect(
      await reader.read(
        new Request("https://mcp.example", {
          method: "POST",
          body: "x".repeat(100),
          headers: { "content-length": "100" },
        }),
        100,
        () => "read",
      ),
    ).toBe("read");
  });
});

it("in one process the bodies of all requests are behind one timer", async () => {
  const mcp = createLocalMcp({
    createServer: () => ({ connect: () => {} }) as never,
    bodyTimeoutMs: 7777,
    env: false,
    logLevel: "silent",
  });
  const timers = vi.spyOn(globalThis, "setTimeout");
  const request = (): Request =>
    new Request("http://localhost/mcp", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "content-length": "2",
      },
      body: "{}",
    });
  for (let n = 0; n < 3; n++) expect((await mcp.router.fetch(request())).status).toBe(400);
  expect(timers.mock.calls.filter(([, ms]) => ms === 7777)).toHaveLength(1);
  await mcp.close();
});
