/** One stream's log: its bounds, what goes first, and what is kept for a reader that is there. */
import { describe, expect, test } from "vitest";
import { type EventLog, openLog, type Reader } from "../../src/session/streams/log.ts";
import { countedStore } from "../support/counted-store.ts";

interface Opened {
  readonly log: EventLog;
  /** Stores a message of so many characters. */
  readonly add: (size: number, reader?: Reader) => void;
  /** Numbers of the events that are held. */
  readonly held: () => number[];
  readonly dropped: number[];
  readonly trimmed: [number, readonly unknown[]][];
  /** Events and characters, as the session counts them. */
  readonly counted: { events: number; bytes: number };
}

function opened(maxEvents: number, maxStoredBytes: number): Opened {
  const { store } = countedStore();
  const dropped: number[] = [];
  const trimmed: [number, readonly unknown[]][] = [];
  const counted = { events: 0, bytes: 0 };
  const log = openLog({
    store,
    stream: 7,
    trimmed: 0,
    extent: { first: 0, last: 0, bytes: 0 },
    limits: { maxEvents, maxStoredBytes },
    quota: {
      room() {},
      fits: () => true,
      count(events, bytes) {
        counted.events += events;
        counted.bytes += bytes;
      },
    },
    now: () => 1,
    onTrimmed: (seq, answered) => void trimmed.push([seq, answered]),
  });
  let n = 0;
  return {
    log,
    add(size, reader) {
      n += 1;
      const data = "x".repeat(size);
      const onDropped = (count: number): void => void dropped.push(count);
      log.append({ data, answers: String(n), handed: 0, reader, onDropped });
    },
    held: () => store.sizes(7).map(({ seq }) => seq),
    dropped,
    trimmed,
    counted,
  };
}

const times = (count: number, act: () => void): void => {
  for (let n = 0; n < count; n++) act();
};

describe("by number", () => {
  test("a tenth more is kept before it is cut back to its bound", () => {
    const { add, held, dropped, counted, trimmed } = opened(10, 1e6);
    times(11, () => add(1));
    expect(held()).toHaveLength(11);
    add(1);
    expect(held()).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    // Nobody had them; and the requests that they answered are told, so that none is owed an answer again.
    expect(dropped).toEqual([2]);
    expect(trimmed).toEqual([[2, [1, 2]]]);
    expect(counted).toEqual({ events: 10, bytes: 10 });
  });

  test("what a connection still needs stays, and what it has is no loss", () => {
    const { add, held, dropped } = opened(10, 1e6);
    times(30, () => add(1, { sent: 0, acked: 0 }));
    expect(held()).toHaveLength(30);
    add(1, { sent: 25, acked: 20 });
    expect(held()[0]).toBe(21);
    expect(dropped).toEqual([]);
  });
});

describe("by size", () => {
  test("a tenth more is kept before the oldest go, as many as the new one needs", () => {
    const { add, held, dropped } = opened(1000, 1000);
    times(4, () => add(275));
    expect(held()).toEqual([1, 2, 3, 4]);
    add(500);
    expect(held()).toEqual([4, 5]);
    expect(dropped).toEqual([3]);
  });

  test("a connection's own has another tenth of room; then it goes too, and is said", () => {
    const { add, held, dropped } = opened(1000, 1000);
    const reader = { sent: 0, acked: 0 };
    times(6, () => add(200, reader));
    expect(held()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(dropped).toEqual([]);
    add(200, reader);
    expect(held()).toEqual([3, 4, 5, 6, 7]);
    expect(dropped).toEqual([2]);
  });

  test("one that is larger than the bound by itself is kept alone", () => {
    const { add, held, dropped, counted } = opened(1000, 1000);
    times(3, () => add(100));
    add(5000);
    expect(held()).toEqual([4]);
    expect(dropped).toEqual([3]);
    expect(counted).toEqual({ events: 1, bytes: 5000 });
  });
});

test("trimming goes no further than the log, and not back", () => {
  const { log, add, held, trimmed } = opened(10, 1e6);
  times(3, () => add(1));
  log.trim(2);
  log.trim(1);
  expect([held(), log.trimmed(), log.last()]).toEqual([[3], 2, 3]);
  log.trim(99);
  expect([held(), log.trimmed(), log.last()]).toEqual([[], 3, 3]);
  expect(trimmed.map(([seq]) => seq)).toEqual([2, 3]);
  expect(log.after(3, 10)).toEqual([]);
  add(1);
  expect(held()).toEqual([4]);
});
