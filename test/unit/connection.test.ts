/** One connection by itself, against a reader that the test plays, on a clock that the test sets. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Connection, createConnection, SLICE } from "../../src/edge/connection.ts";
import type { HoldfastEvent } from "../../src/events.ts";
import { type HoldfastOptions, resolveOptions } from "../../src/options.ts";

const frames = new TextEncoder();
const decoder = new TextDecoder();

interface Opened {
  readonly connection: Connection;
  readonly events: HoldfastEvent[];
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly leave: AbortController;
  types(): string[];
  /** What the reader is given next, as text. */
  read(): Promise<string | undefined>;
}

function open(options: HoldfastOptions = {}, breaks?: boolean): Opened {
  const events: HoldfastEvent[] = [];
  const leave = new AbortController();
  const connection = createConnection({
    id: "c",
    sessionId: "s",
    settings: resolveOptions({ onEvent: (event) => events.push(event), ...options }),
    signal: leave.signal,
    breaks,
    onAlive() {},
  });
  const reader = connection.readable.getReader();
  return {
    connection,
    events,
    reader,
    leave,
    types: () => events.map(({ type }) => type),
    read: async () => {
      const { value } = await reader.read();
      return value === undefined ? undefined : decoder.decode(value);
    },
  };
}

const message = (length = 0): Uint8Array => frames.encode(`data: ${"x".repeat(length)}\n\n`);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a connection", () => {
  it("is established once its client has taken a byte, and not before", async () => {
    const { connection, types, read } = open();
    expect(types()).toEqual(["keepalive.start"]);
    const written = connection.write(message());
    await vi.advanceTimersByTimeAsync(1000);
    expect(types()).toEqual(["keepalive.start"]);
    await read();
    await written;
    expect(types()).toEqual(["keepalive.start", "connection.established"]);
    const second = connection.write(message());
    await read();
    await second;
    expect(types()).toHaveLength(2);
  });

  it("that ends before its client has taken anything is never established", async () => {
    const { connection, leave, types } = open();
    connection.write(message()).catch(() => {});
    leave.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(types()).toEqual(["keepalive.start", "connection.closed_detected", "connection.closed"]);
  });

  it.each(["done", "failures", "client", "replaced"] as const)(
    "leaves no timer behind: %s",
    async (reason) => {
      const { connection, reader } = open();
      expect(vi.getTimerCount()).toBe(1);
      connection.end(reason);
      await reader.read().catch(() => {});
      await vi.advanceTimersByTimeAsync(0);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it("says what it was written, then ends", async () => {
    const { connection, read } = open();
    connection.write(message(3)).catch(() => {});
    connection.end("done");
    expect([await read(), await read()]).toEqual(["data: xxx\n\n", undefined]);
  });

  it.each(["timeout", "shutdown", "overflow", "closed", "lost"] as const)(
    "breaks after what was taken, for a client that comes back from nothing else: %s",
    async (reason) => {
      const { connection, reader, read } = open({}, true);
      const written = connection.write(message(3));
      expect(await read()).toBe("data: xxx\n\n");
      await written;
      connection.end(reason);
      await expect(reader.read()).rejects.toThrow(`come back (${reason})`);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it.each(["done", "deleted", "replaced"] as const)(
    "ends in order for that client too where it is not to come back: %s",
    async (reason) => {
      const { connection, read } = open({}, true);
      connection.end(reason);
      expect(await read()).toBeUndefined();
    },
  );

  it("breaks off where its reader does not take the end either", async () => {
    const { connection, reader } = open({ sendTimeoutMs: 500 });
    connection.write(message()).catch(() => {});
    connection.end("replaced");
    await vi.advanceTimersByTimeAsync(500);
    await expect(reader.read()).rejects.toThrow("takes nothing");
  });
});

describe("the reader's pace", () => {
  it("is kept within a frame: slices of 64 KiB, and written means that the last was taken", async () => {
    const { connection, read } = open();
    const bytes = message(SLICE * 2);
    const written = vi.fn();
    void connection.write(bytes).then(written);
    const parts = [await read(), await read()];
    await vi.advanceTimersByTimeAsync(0);
    expect(written).not.toHaveBeenCalled();
    parts.push(await read());
    await vi.advanceTimersByTimeAsync(0);
    expect(written).toHaveBeenCalledOnce();
    expect(parts.map((part) => part?.length)).toEqual([SLICE, SLICE, 8]);
    expect(parts.join("")).toBe(decoder.decode(bytes));
  });

  it("is no failure, as long as each slice is taken in time, however long the whole takes", async () => {
    const { connection, types, read } = open({ sendTimeoutMs: 1000, keepaliveMaxFailures: 1 });
    const written = connection.write(message(SLICE * 5));
    for (let n = 0; n < 6; n++) {
      await vi.advanceTimersByTimeAsync(900);
      await read();
    }
    await written;
    expect(types()).not.toContain("ping.failed");
  });

  it("has no keepalive in the middle of a frame", async () => {
    const { connection, read } = open({ keepaliveIntervalMs: 100, sendTimeoutMs: 0 });
    const bytes = message(SLICE + 10);
    const written = connection.write(bytes);
    let text = (await read()) ?? "";
    await vi.advanceTimersByTimeAsync(1000);
    text += await read();
    await written;
    expect(text).toBe(decoder.decode(bytes));
    const next = read();
    await vi.advanceTimersByTimeAsync(100);
    expect(await next).toBe(": keepalive\n");
  });

  it("one that stalls is cut: the reader sees a break, not an end, and the write fails", async () => {
    const { connection, reader, types } = open({ sendTimeoutMs: 100, keepaliveMaxFailures: 3 });
    const failed = expect(connection.write(message(SLICE * 3))).rejects.toThrow();
    await reader.read();
    await vi.advanceTimersByTimeAsync(299);
    expect(types().filter((type) => type === "ping.failed")).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(2);
    expect(await connection.ended).toBe("failures");
    await failed;
    await expect(reader.read()).rejects.toThrow("takes nothing");
  });

  it("an end in the middle of a frame breaks off: half a frame must not look whole", async () => {
    const { connection, reader } = open();
    connection.write(message(SLICE * 2)).catch(() => {});
    await reader.read();
    connection.end("overflow");
    await expect(reader.read()).rejects.toThrow("takes nothing");
  });

  it("one good write forgives the failures before it", async () => {
    const { connection, read, types } = open({ sendTimeoutMs: 100, keepaliveMaxFailures: 2 });
    for (let round = 0; round < 3; round++) {
      const written = connection.write(message());
      await vi.advanceTimersByTimeAsync(150);
      await read();
      await written;
    }
    expect(types().filter((type) => type === "ping.failed")).toHaveLength(3);
    expect(types()).not.toContain("connection.closed");
  });
});

describe("a clock that is set", () => {
  it.each([
    ["back", -3 * 3_600_000],
    ["forward", 2 * 3_600_000],
  ])("%s: keepalives come as before, no more and no fewer", async (_, by) => {
    const { connection, read, events } = open({ keepaliveIntervalMs: 1000 });
    let count = 0;
    const reading = (async () => {
      while ((await read()) !== undefined) count += 1;
    })();
    await vi.advanceTimersByTimeAsync(2500);
    vi.setSystemTime(Date.now() + by);
    await vi.advanceTimersByTimeAsync(5000);
    vi.setSystemTime(Date.now() - by);
    await vi.advanceTimersByTimeAsync(2500);
    expect(count).toBe(10);
    connection.end("done");
    await reading;
    expect(events.at(-1)).toMatchObject({ type: "connection.closed", durationMs: 10_000 });
  });

  it("back does not hide a reader that stalls, and is no spinning", async () => {
    const { connection, types } = open({ sendTimeoutMs: 100, keepaliveMaxFailures: 1 });
    connection.write(message()).catch(() => {});
    vi.setSystemTime(0);
    await vi.advanceTimersByTimeAsync(101);
    expect(await connection.ended).toBe("failures");
    expect(types()).not.toContain("connection.spin_detected");
  });
});

describe("onDisconnect", () => {
  const failures = (events: readonly HoldfastEvent[]): HoldfastEvent[] =>
    events.filter(({ type }) => type === "hook.error" || type === "cleanup.timeout");

  it.each([
    [
      "throws",
      () => {
        throw new Error("no table");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no table"))],
  ])(
    "that %s is one event with its stack, and the connection is over all the same",
    async (_, onDisconnect) => {
      const { connection, events, read } = open({ onDisconnect });
      connection.end("done");
      expect(await connection.ended).toBe("done");
      expect(await read()).toBeUndefined();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(failures(events)).toEqual([
        {
          type: "hook.error",
          level: "warn",
          time: expect.any(Number),
          hook: "onDisconnect",
          message: "no table",
          stack: expect.stringContaining("connection.test.ts"),
        },
      ]);
    },
  );

  it("that takes longer than `cleanupTimeoutMs` is told, once", async () => {
    let finish: () => void = () => {};
    const { connection, events } = open({
      cleanupTimeoutMs: 700,
      onDisconnect: () => new Promise<void>((resolve) => (finish = resolve)),
    });
    connection.end("client");
    await vi.advanceTimersByTimeAsync(699);
    expect(failures(events)).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    const told = {
      type: "cleanup.timeout",
      level: "warn",
      time: expect.any(Number),
      connectionId: "c",
      afterMs: 700,
    };
    expect(failures(events)).toEqual([told]);
    finish();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(failures(events)).toEqual([told]);
  });

  it("that is done in time is not", async () => {
    const onDisconnect = vi.fn(() => new Promise<void>((resolve) => setTimeout(resolve, 600)));
    const { connection, events } = open({ cleanupTimeoutMs: 700, onDisconnect });
    connection.end("client");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(failures(events)).toEqual([]);
    expect(onDisconnect.mock.calls).toEqual([
      [{ sessionId: "s", connectionId: "c", reason: "client", durationMs: 0 }],
    ]);
  });
});
