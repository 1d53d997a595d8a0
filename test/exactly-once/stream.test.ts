/** What random sequences found in the way of one stream, each as a case of its own. */
import { describe, expect, test } from "vitest";
import type { EventLog } from "../../src/session/log.ts";
import type { Outlet } from "../../src/session/ports.ts";
import type { StoredEvent } from "../../src/session/schema.ts";
import { createStream, type Stream } from "../../src/session/stream.ts";

/** A log in memory that counts as SQL does: in characters, of which an emoji is one and a JavaScript string's two. */
function memoryLog(): EventLog {
  const events: StoredEvent[] = [];
  return {
    get last() {
      return events.length;
    },
    trimmed: 0,
    append: (data) => events.push({ seq: events.length + 1, data }),
    after(seq, size) {
      const found: StoredEvent[] = [];
      let total = 0;
      for (const event of events.slice(seq)) {
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
  readonly ends: string[];
}

function outlet(connectionId: string): FakeOutlet {
  const sent: number[] = [];
  const ends: string[] = [];
  return {
    connectionId,
    openedAt: 0,
    sent,
    ends,
    send(frames) {
      for (const [, seq = ""] of frames.matchAll(/^id: [0-9a-z]+\.([0-9a-z]+)\nevent/gm))
        sent.push(parseInt(seq, 36));
    },
    end: (reason) => void ends.push(reason),
  };
}

const hooks = { onGap: () => {}, onOverflow: () => {}, onDelivered: () => {} };
const stream = (): Stream => createStream(1, memoryLog(), "", 0, false, hooks);
const opened = { opening: "prime", retryMs: 1 } as const;
const redialled = { opening: "none", retryMs: 1 } as const;

describe("a stream", () => {
  test("goes on when the edge acknowledges a part of what went out at once", () => {
    const held = stream();
    for (let n = 0; n < 3; n++) void held.emit("😀".repeat(100_000), null);
    const reader = outlet("a");
    held.attach(reader, { ...opened, after: 0 });
    expect(reader.sent).toEqual([1, 2]);
    held.ack("a", 1);
    expect(reader.sent).toEqual([1, 2, 3]);
  });

  test("stops at its window until the edge acknowledges", () => {
    const held = stream();
    for (let n = 0; n < 10; n++) void held.emit("x".repeat(100_000), null);
    const reader = outlet("a");
    held.attach(reader, { ...opened, after: 0 });
    expect(reader.sent).toEqual([1, 2, 3]);
    held.ack("a", 3);
    expect(reader.sent).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("is taken over by a client's connection, from the one that is there", () => {
    const held = stream();
    const [first, second] = [outlet("a"), outlet("b")];
    held.attach(first, { ...opened, after: 0 });
    void held.emit("one", null);
    held.attach(second, { ...opened, after: held.resumePoint });
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
});
