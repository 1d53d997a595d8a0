/** What random sequences found in the way of one stream, each as a case of its own. */
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { EventLog } from "../../src/session/streams/log.ts";
import type { Outlet } from "../../src/session/streams/outlet.ts";
import type { StoredEvent } from "../../src/session/store/schema.ts";
import { createStream, type Stream, type StreamHooks } from "../../src/session/streams/stream.ts";

/** A log in memory that reads as the stored one does: some events at a time, counted in SQL's characters. */
function memoryLog(): EventLog {
  const events: StoredEvent[] = [];
  return {
    last: () => events.length,
    trimmed: () => 0,
    append: ({ data }) => events.push({ seq: events.length + 1, data }),
    after(seq, size) {
      const found: StoredEvent[] = [];
      let total = 0;
      for (const event of events.slice(seq, seq + 256)) {
        total += [...event.data].length;
        if (found.length > 0 && total > size) break;
        found.push({ ...event });
      }
      return found;
    },
    trim() {},
  };
}

interface FakeOutlet extends Outlet {
  /** Sequence numbers sent. */
  readonly sent: number[];
  /** The same with the characters they took. */
  readonly frames: { seq: number; length: number }[];
  readonly ends: string[];
}

function outlet(connectionId: string): FakeOutlet {
  const sent: number[] = [];
  const frames: FakeOutlet["frames"] = [];
  const ends: string[] = [];
  return {
    connectionId,
    openedAt: 0,
    sent,
    frames,
    ends,
    send(text) {
      for (const frame of text.split("\n\n")) {
        const seq = /^id: [0-9a-z]+\.([0-9a-z]+)\nevent/m.exec(frame)?.[1];
        if (seq === undefined) continue;
        sent.push(parseInt(seq, 36));
        frames.push({ seq: parseInt(seq, 36), length: frame.length });
      }
    },
    end: (reason) => void ends.push(reason),
  };
}

const hooks = { onGap: () => {}, onOverflow: () => {}, onDelivered: () => {} };
const streamOf = (log: EventLog, heard: Partial<StreamHooks> = {}): Stream =>
  createStream({ id: 1, log, prefix: "", delivered: 0, complete: false, hooks: { ...hooks, ...heard } });
const stream = (): Stream => streamOf(memoryLog());
const opened = { opening: "prime", retryMs: 1, expiresAt: undefined } as const;
const redialled = { ...opened, opening: "none" } as const;

/** What a stream may have under way to an edge, besides one message that is larger by itself. */
const WINDOW = 262_144;

describe("a stream", () => {
  test("never has more under way than its window and one message", () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ emit: fc.oneof(fc.nat(300), fc.nat(20_000), fc.nat(400_000)) }) },
      // Up to this part of what is under way.
      { weight: 2, arbitrary: fc.record({ ack: fc.float({ min: 0, max: 1, noNaN: true }) }) },
      { weight: 1, arbitrary: fc.record({ attach: fc.boolean() }) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const held = stream();
        let reader: FakeOutlet | undefined;
        let acked = 0;
        let largest = 0;
        for (const { emit, ack, attach } of steps as { emit?: number; ack?: number; attach?: boolean }[]) {
          if (emit !== undefined) {
            largest = Math.max(largest, emit);
            void held.emit("x".repeat(emit), null);
          } else if (attach === true || reader === undefined) {
            reader = outlet(crypto.randomUUID());
            held.attach(reader, { ...opened, after: acked });
          } else if (ack !== undefined) {
            const seen = reader.sent.filter((seq) => seq > acked);
            acked = seen[Math.floor(ack * seen.length)] ?? acked;
            held.ack(reader.connectionId, acked);
          }
          const underway = (reader?.frames ?? []).filter(({ seq }) => seq > acked);
          const size = underway.reduce((total, { length }) => total + length, 0);
          // Ids and field names of the events that are read at once are not counted beforehand.
          expect(size).toBeLessThanOrEqual(WINDOW + largest + 256 * 64);
        }
      }),
      { numRuns: 300 },
    );
  });

  test.each([9, 2.5e15, Number.NaN, Infinity])(
    "believes no word of more than was sent: %d",
    async (beyond) => {
      const delivered: number[] = [];
      const held = streamOf(memoryLog(), { onDelivered: (seq) => void delivered.push(seq) });
      const reader = outlet("a");
      held.attach(reader, { ...opened, after: 0 });
      for (let n = 0; n < 4; n++) void held.emit("x".repeat(100_000), null);
      expect(reader.sent).toEqual([1, 2, 3]);
      held.ack("a", beyond);
      expect(reader.sent).toEqual([1, 2, 3]);
      held.leave("a", beyond);
      held.leave("b", beyond);
      expect(delivered).toEqual([]);
      expect(held.resumePoint()).toBe(0);
      // What was sent can be meant.
      const again = outlet("c");
      held.attach(again, { ...opened, after: 0 });
      held.leave("c", 2);
      expect(held.resumePoint()).toBe(2);
    },
  );

  test("goes on when the edge acknowledges a part of what went out at once", () => {
    const held = stream();
    for (const size of [100_000, 100_000, 50_000, 50_000]) void held.emit("😀".repeat(size), null);
    const reader = outlet("a");
    held.attach(reader, { ...opened, after: 0 });
    expect(reader.sent).toEqual([1, 2, 3]);
    held.ack("a", 2);
    expect(reader.sent).toEqual([1, 2, 3, 4]);
  });

  test("notes as handed what its client has for certain, and goes on from there", () => {
    const log = memoryLog();
    const noted: number[] = [];
    const held = streamOf({ ...log, append: (event) => (noted.push(event.handed), log.append(event)) });
    let certain = 0;
    held.attach({ ...outlet("a"), surely: (acked) => Math.min(acked, certain) }, { ...opened, after: 0 });
    void held.emit("first", null);
    held.ack("a", 1);
    void held.emit("second", null);
    certain = 1;
    void held.emit("third", null);
    expect(noted).toEqual([0, 0, 1]);
    held.ack("a", 3);
    expect(held.handed()).toBe(3);
    certain = 2;
    held.leave("a");
    expect(held.resumePoint()).toBe(2);
  });

  test("stops at its window until the edge acknowledges", () => {
    const held = stream();
    for (let n = 0; n < 10; n++) void held.emit("x".repeat(100_000), null);
    const reader = outlet("a");
    held.attach(reader, { ...opened, after: 0 });
    expect(reader.sent).toEqual([1, 2]);
    held.ack("a", 2);
    expect(reader.sent).toEqual([1, 2, 3, 4]);
  });

  test("brings everything to an edge that acknowledges now and then only", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(300), fc.nat(200_000)), { maxLength: 40 }), (sizes) => {
        const held = stream();
        const reader = outlet("a");
        held.attach(reader, { ...opened, after: 0 });
        for (const size of sizes) void held.emit("x".repeat(size), null);
        let taken = 0;
        let unacknowledged = 0;
        for (const frame of reader.frames) {
          taken += 1;
          unacknowledged += frame.length;
          if (unacknowledged < 65_536) continue;
          unacknowledged = 0;
          held.ack("a", frame.seq);
        }
        expect(taken).toBe(sizes.length);
      }),
    );
  });

  test("catches up in few long reads, however small the acknowledgements", () => {
    const log = memoryLog();
    let reads = 0;
    const counting: EventLog = {
      ...log,
      after(seq, size) {
        reads += 1;
        return log.after(seq, size);
      },
    };
    const held = streamOf(counting);
    for (let n = 0; n < 5000; n++) void held.emit("x".repeat(1000), null);
    const reader = outlet("a");
    held.attach(reader, { ...opened, after: 0 });
    for (const { seq } of reader.frames) held.ack("a", seq);
    expect(reader.sent).toHaveLength(5000);
    // 5 MB in pieces of half a window at least.
    expect(reads).toBeLessThan(50);
  });

  test("is taken over by a client's connection, from the one that is there", () => {
    const held = stream();
    const [first, second] = [outlet("a"), outlet("b")];
    held.attach(first, { ...opened, after: 0 });
    void held.emit("one", null);
    held.attach(second, { ...opened, after: held.resumePoint() });
    void held.emit("two", null);
    expect([first.sent, first.ends]).toEqual([[1], ["replaced"]]);
    expect([second.sent, second.ends]).toEqual([[2], []]);
  });

  test("is not taken back by an edge that dials again under a connection its client has left", () => {
    const held = stream();
    const [fresh, stale] = [outlet("fresh"), outlet("stale")];
    held.attach(fresh, { ...opened, after: 0 });
    held.attach(stale, { ...redialled, after: 0 });
    void held.emit("one", null);
    expect([stale.sent, stale.ends]).toEqual([[], ["replaced"]]);
    expect([fresh.sent, fresh.ends]).toEqual([[1], []]);
  });

  test("is taken up by the edge that dials again under the connection that is there", () => {
    const held = stream();
    const [before, after] = [outlet("same"), outlet("same")];
    held.attach(before, { ...opened, after: 0 });
    held.attach(after, { ...redialled, after: 0 });
    void held.emit("one", null);
    expect(after.sent).toEqual([1]);
  });

  describe("whose client comes and goes without reading", () => {
    beforeEach(() => void vi.useFakeTimers());
    afterEach(() => void vi.useRealTimers());

    /** A stream that holds one large message, and how often its log was read. */
    const large = (): { held: Stream; reads: () => number } => {
      const log = memoryLog();
      let reads = 0;
      const held = streamOf({ ...log, after: (...args) => (reads++, log.after(...args)) });
      void held.emit("x".repeat(1_000_000), null);
      return { held, reads: () => reads };
    };
    const comeAndGo = (held: Stream, times: number, seq = 0): void => {
      for (let n = 0; n < times; n++) {
        const name = crypto.randomUUID();
        held.attach(outlet(name), { ...opened, after: 0 });
        held.leave(name, seq);
      }
    };

    test("reads a large message for the first few, and then no more than a patient client costs", () => {
      const { held, reads } = large();
      comeAndGo(held, 300);
      expect(reads()).toBe(3);
      const patient = outlet("patient");
      held.attach(patient, { ...opened, after: 0 });
      expect(patient.sent).toEqual([]);
      void held.emit("more", null);
      vi.advanceTimersByTime(1000);
      expect([reads(), patient.sent]).toEqual([4, [1]]);
      held.ack("patient", 1);
      expect(patient.sent).toEqual([1, 2]);
    });

    test("reads no more where each takes the stream over from the one before", () => {
      const { held, reads } = large();
      for (let n = 0; n < 300; n++) held.attach(outlet(crypto.randomUUID()), { ...opened, after: 0 });
      expect(reads()).toBe(3);
    });

    test("reads once a second at most, however long that goes on", () => {
      const { held, reads } = large();
      comeAndGo(held, 300);
      for (let n = 0; n < 100; n++) {
        const name = crypto.randomUUID();
        held.attach(outlet(name), { ...opened, after: 0 });
        vi.advanceTimersByTime(999);
        held.leave(name, 0);
      }
      // Six while the wait grew to a second, and none since.
      expect(reads()).toBe(3 + 6);
    });

    test("keeps nobody waiting who reads, however often the connection breaks", () => {
      const { held, reads } = large();
      comeAndGo(held, 50, 1);
      expect(reads()).toBe(50);
    });

    test("keeps nobody waiting for whom there was nothing", () => {
      const held = stream();
      comeAndGo(held, 50);
      const reader = outlet("reader");
      held.attach(reader, { ...opened, after: 0 });
      void held.emit("one", null);
      expect(reader.sent).toEqual([1]);
    });
  });
});
