/** What a session keeps over all of its streams, how it is counted, and what goes first. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DisconnectReason } from "../../src/events.ts";
import { eventSink } from "../../src/event-sink.ts";
import type { Outlet } from "../../src/session/streams/outlet.ts";
import { unfinishedIn } from "../../src/session/streams/owed.ts";
import type { Stream } from "../../src/session/streams/stream.ts";
import { createStreams, type Streams } from "../../src/session/streams/streams.ts";
import { SESSION_ROW as row } from "../support/session-row.ts";
import { type CountedStore, countedStore, readsOfLog } from "../support/counted-store.ts";

const generous = { maxEvents: 1000, maxStoredBytes: 1e6, maxSessionEvents: 1e6, maxSessionBytes: 1e9 };

let clock = 0;
let told: Readonly<Record<string, unknown>>[] = [];
const emit = eventSink(({ level: _level, time: _time, ...event }) => void told.push(event), "silent");

beforeEach(() => {
  vi.useFakeTimers();
  clock = 1000;
  told = [];
});
afterEach(() => void vi.useRealTimers());

/** As an isolate has them: a second one finds what the first has stored. */
const streamsOf = ({ store }: CountedStore, limits: Partial<typeof generous> = {}): Streams =>
  createStreams({ row, store, limits: { ...generous, ...limits }, now: () => (clock += 1), emit });

interface Reader extends Outlet {
  readonly text: () => string;
  readonly ends: DisconnectReason[];
}

function reader(connectionId = "c"): Reader {
  const ends: DisconnectReason[] = [];
  let text = "";
  return {
    connectionId,
    openedAt: 0,
    text: () => text,
    ends,
    send: (frames) => void (text += frames),
    end: (reason) => void ends.push(reason),
  };
}

const joining = { opening: "prime", retryMs: 1, expiresAt: undefined } as const;

/** A call that is answered by so many characters, with nobody there to read. */
function answered(streams: Streams, id: number, size: number): Stream {
  const stream = streams.open([id], null);
  void stream.emit("a".repeat(size), String(id));
  stream.finish();
  return stream;
}

const heldBy = ({ store }: CountedStore): Record<number, number> =>
  Object.fromEntries(store.survey(0).map(({ stream, bytes }) => [stream, bytes]));

describe("over the bound of the session", () => {
  test("answered calls go whole, the oldest first, as few as need be", () => {
    const counted = countedStore();
    const streams = streamsOf(counted, { maxSessionBytes: 1000 });
    const calls = [1, 2, 3, 4].map((id) => answered(streams, id, 250));
    expect(Object.keys(heldBy(counted))).toHaveLength(4);
    // Within a tenth nothing goes.
    void streams.standalone.emit("s".repeat(100), null);
    expect(Object.keys(heldBy(counted))).toHaveLength(5);
    void streams.standalone.emit("s".repeat(100), null);
    const [first, second, third, fourth] = calls.map(({ id }) => id) as [number, number, number, number];
    expect(heldBy(counted)).toEqual({ [second]: 250, [third]: 250, [fourth]: 250, 7: 200 });
    // The row stays: who asks is told.
    const outlet = reader();
    streams.find(first)?.attach(outlet, { ...joining, after: 0 });
    expect(outlet.text()).toContain("gap: 1 events");
    expect(outlet.ends).toEqual(["done"]);
    expect(told).toContainEqual(expect.objectContaining({ type: "replay.gap", missed: 1 }));
    // Its answer was given: no later isolate owes another.
    expect(unfinishedIn(counted.store)).toEqual([]);
  });

  test("a call that waits for its answer keeps what it has, until all answered ones are gone; then the oldest events go", () => {
    const counted = countedStore();
    const streams = streamsOf(counted, { maxSessionBytes: 1000 });
    const waiting = streams.open([9], null);
    void waiting.emit("w".repeat(300), null);
    void waiting.emit("w".repeat(300), null);
    const done = answered(streams, 1, 400);
    void streams.standalone.emit("s".repeat(400), null);
    expect(heldBy(counted)).toEqual({ [waiting.id]: 600, 7: 400 });
    expect(done.log.trimmed()).toBe(1);
    void streams.standalone.emit("s".repeat(400), null);
    expect(heldBy(counted)).toEqual({ 7: 800 });
    expect(unfinishedIn(counted.store).map(({ ids }) => ids)).toEqual([[9]]);
    streams.close("shutdown");
    // What nobody had was counted: the answer, and the two events.
    expect(told.filter(({ type }) => type === "queue.overflow")).toMatchObject([{ dropped: 3 }]);
  });

  test("number takes nothing from a reader that is there; size does, and ends its connection", () => {
    const counted = countedStore();
    const streams = streamsOf(counted, {
      maxStoredBytes: 1e8,
      maxSessionEvents: 10,
      maxSessionBytes: 1e6,
    });
    const outlet = reader();
    streams.standalone.attach(outlet, { ...joining, after: 0 });
    for (let n = 0; n < 50; n++) void streams.standalone.emit("x".repeat(10_000), null);
    expect(counted.store.survey(0)).toMatchObject([{ stream: 7, first: 1, last: 50 }]);
    expect(outlet.ends).toEqual([]);
    streams.standalone.ack("c", 20);
    void streams.standalone.emit("x", null);
    expect(counted.store.survey(0)).toMatchObject([{ first: 21 }]);
    for (let n = 0; n < 150; n++) void streams.standalone.emit("x".repeat(10_000), null);
    expect(outlet.ends).toEqual(["overflow"]);
  });

  test("an answered call that is being read goes after those that nobody reads", () => {
    const counted = countedStore();
    const streams = streamsOf(counted, { maxSessionBytes: 1_000_000 });
    // It is behind by a part of its answer: more is under way than it has acknowledged.
    const outlet = reader();
    const open = streams.open([2], null);
    open.attach(outlet, { ...joining, after: 0 });
    void open.emit("o".repeat(300_000), null);
    void open.emit("o".repeat(100_000), "2");
    open.finish();
    const unread = answered(streams, 1, 500_000);
    expect(outlet.ends).toEqual([]);
    void streams.standalone.emit("s".repeat(300_000), null);
    expect(heldBy(counted)).toEqual({ [open.id]: 400_000, 7: 300_000 });
    expect(unread.log.trimmed()).toBe(1);
  });

  test("a request that is kept to run again counts, is not kept where there is no room, and goes with its call", () => {
    const counted = countedStore();
    const streams = streamsOf(counted, { maxSessionBytes: 1000 });
    const first = streams.open([1], "r".repeat(600));
    streams.open([2], "r".repeat(600));
    expect(counted.store.streamRows().map(({ request }) => request?.length ?? 0)).toEqual(
      expect.arrayContaining([600, 0]),
    );
    void first.emit("a", "1");
    first.finish();
    void streams.standalone.emit("s".repeat(900), null);
    expect(counted.store.requestSizes()).toEqual([]);
    // As a later isolate counts it: 99 characters more are within the bound and its tenth, one more is not.
    const later = streamsOf(counted, { maxSessionBytes: 1000 });
    void later.standalone.emit("s".repeat(200), null);
    expect(later.standalone.log.trimmed()).toBe(0);
    void later.standalone.emit("s", null);
    expect(later.standalone.log.trimmed()).toBe(1);
  });

  test("a request that is larger than a row is not kept", () => {
    const counted = countedStore();
    const streams = streamsOf(counted);
    streams.open([1], "r".repeat(600_000));
    expect(counted.store.requestSizes()).toEqual([]);
    expect(() => streams.open(["i".repeat(600_000)], null)).toThrow(RangeError);
    expect(counted.store.streamRows()).toHaveLength(1);
  });
});

describe("counting", () => {
  test("reads the log once in an isolate's life, and nothing for any further message", () => {
    const counted = countedStore();
    const streams = streamsOf(counted);
    const first = counted.during(() => void streams.standalone.emit("one", null));
    expect(readsOfLog(first)).toHaveLength(1);
    const more = counted.during(() => {
      for (let n = 0; n < 100; n++) void streams.standalone.emit("more", null);
      answered(streams, 1, 10);
    });
    expect(more.filter((statement) => statement.startsWith("SELECT"))).toEqual([]);
  });

  test("goes on in the next isolate where it was", () => {
    const counted = countedStore();
    const streams = streamsOf(counted);
    for (let n = 0; n < 5; n++) answered(streams, n, 200);
    const later = streamsOf(counted, { maxSessionBytes: 1000 });
    answered(later, 9, 101);
    expect(counted.store.survey(0)).toHaveLength(5);
  });

  test("the alarm reads the log once, whatever is in it", () => {
    const counted = countedStore();
    const streams = streamsOf(counted);
    void streams.standalone.emit("old", null);
    const old = answered(streams, 1, 10);
    clock = 50_000;
    void streams.standalone.emit("young", null);
    const later = streamsOf(counted);
    let oldest: number | undefined;
    const statements = counted.during(() => (oldest = later.age(50_000)));
    expect(readsOfLog(statements)).toHaveLength(1);
    expect(oldest).toBe(50_001);
    expect(counted.store.survey(0)).toMatchObject([{ stream: 7, first: 2, last: 2 }]);
    expect(counted.store.streamRows().map(({ stream }) => stream)).toEqual([7]);
    expect(counted.store.stream(old.id)).toBeUndefined();
    // Where nothing has aged, once and no more.
    expect(readsOfLog(counted.during(() => void later.age(50_000)))).toHaveLength(1);
  });

  test("a batch's answers on the standalone stream are struck off without reading the row again", () => {
    const counted = countedStore();
    const streams = streamsOf(counted);
    const owed = streams.owe([1, 2, 3, 4], null);
    const statements = counted.during(() => [1, 2, 3].forEach((id) => streams.release(owed, id)));
    expect(statements).toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/^UPDATE stream/)));
    expect(unfinishedIn(counted.store)).toMatchObject([{ ids: [4] }]);
    // In the next isolate: once.
    const more = streams.owe([5, 6], null);
    const later = streamsOf(counted);
    const releases = counted.during(() => [5, 6].forEach((id) => later.release(more, id)));
    expect(releases.filter((sql) => sql.startsWith("SELECT"))).toHaveLength(1);
    later.release(owed, 4);
    expect(unfinishedIn(counted.store)).toEqual([]);
  });

  test("an answer that is held no longer is not owed again", () => {
    const counted = countedStore();
    const streams = streamsOf(counted);
    const batch = streams.open([1, 2], null);
    void batch.emit("answer", "1");
    clock = 50_000;
    void batch.emit("still running", null);
    streamsOf(counted).age(50_000);
    expect(unfinishedIn(counted.store)).toMatchObject([{ ids: [2] }]);
  });
});

describe("a burst that overflows", () => {
  test("is told of once, with all that was dropped", () => {
    const counted = countedStore();
    const streams = streamsOf(counted, { maxEvents: 10 });
    for (let n = 0; n < 100; n++) void streams.standalone.emit("x", null);
    vi.advanceTimersByTime(1000);
    for (let n = 0; n < 100; n++) void streams.standalone.emit("x", null);
    vi.advanceTimersByTime(999);
    const overflows = (): unknown[] =>
      told.filter(({ type }) => type === "queue.overflow").map(({ dropped }) => dropped);
    expect(overflows()).toEqual([90]);
    streams.close("shutdown");
    expect(overflows()).toEqual([90, 100]);
    vi.advanceTimersByTime(10_000);
    expect(overflows()).toHaveLength(2);
  });
});

describe("a sender that nobody reads", () => {
  test("lets others in as it sends on and on", async () => {
    vi.useRealTimers();
    const { standalone } = streamsOf(countedStore(), { maxEvents: 100 });
    let turns = 0;
    let isOver = false;
    const others = (async (): Promise<void> => {
      for (; !isOver; turns++) await new Promise((resolve) => setTimeout(resolve, 0));
    })();
    for (let n = 0; n < 640; n++) await standalone.emit("x", null);
    isOver = true;
    await others;
    expect(turns).toBeGreaterThanOrEqual(10);
  });
});
