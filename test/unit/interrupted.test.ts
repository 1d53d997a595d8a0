/** Calls that an isolate left unanswered: which of them run again, how often, and what the others are told. */
import { describe, expect, test } from "vitest";
import type { EventSink } from "../../src/events.ts";
import type { Caller } from "../../src/host.ts";
import type { JsonRpcRequest } from "../../src/jsonrpc/messages.ts";
import { createInterrupted, type Interrupted, type Rerun } from "../../src/session/calls/interrupted.ts";
import { createStreams, type Streams } from "../../src/session/streams/streams.ts";
import { SESSION_ROW as row } from "../support/session-row.ts";
import { type CountedStore, countedStore } from "../support/counted-store.ts";

const limits = { maxEvents: 1000, maxStoredBytes: 1e6, maxSessionEvents: 1e6, maxSessionBytes: 1e9 };
const caller: Caller = {
  principal: undefined,
  authInfo: undefined,
  url: "http://localhost/mcp",
  headers: () => ({}),
};
const requestOf = (id: number): JsonRpcRequest => ({ jsonrpc: "2.0", id, method: "tools/list" });
const silent: EventSink = () => {};

const streamsOf = ({ store }: CountedStore): Streams =>
  createStreams({ row, store, limits, now: () => 1000, emit: silent });

interface Isolate {
  readonly interrupted: Interrupted;
  readonly streams: Streams;
  readonly ran: Rerun[];
  readonly told: string[];
}

/** The next isolate over the same store. `run` is how the server takes what is handed to it once more. */
function isolate(
  counted: CountedStore,
  { now = 1000, maxCallMs = 0, run = (): Promise<void> => Promise.resolve() } = {},
): Isolate {
  const streams = streamsOf(counted);
  const ran: Rerun[] = [];
  const told: string[] = [];
  const interrupted = createInterrupted({
    sessionId: row.id,
    emit: (type, fields) =>
      void told.push(`${type} ${JSON.stringify(typeof fields === "function" ? fields() : fields)}`),
    store: counted.store,
    maxCallMs,
    now: () => now,
    isLive: () => true,
    streams: () => streams,
    run(again) {
      ran.push(again);
      return run();
    },
  });
  return { interrupted, streams, ran, told };
}

/** The answers on a stream, each as id, error code, and its data. */
const answersOn = ({ store }: CountedStore, stream: number): unknown[] =>
  store.eventsAfter(stream, 0, 1e6).map(({ data }) => {
    const { id, error } = JSON.parse(data) as { id: unknown; error?: { code: number; data: unknown } };
    return [id, error?.code, error?.data];
  });

describe("a call that may not run again", () => {
  test("is answered as soon as the next isolate looks, once, and its stream is complete", () => {
    const counted = countedStore();
    const { id } = streamsOf(counted).open([1, 2], null);
    const next = isolate(counted);
    next.interrupted.settle();
    next.interrupted.settle();
    const error = { reason: "interrupted", retryable: false };
    expect(answersOn(counted, id)).toEqual([
      [1, -32603, error],
      [2, -32603, error],
    ]);
    expect(next.streams.find(id)?.isComplete()).toBe(true);
    expect(next.told).toEqual(['session.interrupted {"session":"aaaaaaaa","calls":1}']);
    // For the one after it nothing is left to say.
    const last = isolate(counted);
    last.interrupted.settle();
    expect([answersOn(counted, id).length, last.told]).toEqual([2, []]);
  });

  test("over HTTP+SSE is answered on the standalone stream, and owed no more", () => {
    const counted = countedStore();
    streamsOf(counted).owe([5], null);
    isolate(counted).interrupted.settle();
    expect(answersOn(counted, 7)).toEqual([[5, -32603, { reason: "interrupted", retryable: false }]]);
    expect(isolate(counted).interrupted.waiting(7)).toEqual([]);
    expect(counted.store.streamRows().filter(({ kind }) => kind === "relay")).toEqual([]);
  });
});

describe("a call that may run again", () => {
  const stored = JSON.stringify([requestOf(1), requestOf(2)]);

  test("waits for somebody whose credentials it can use, and runs once for them", () => {
    const counted = countedStore();
    const { id } = streamsOf(counted).open([1, 2], stored);
    const { interrupted, ran } = isolate(counted);
    interrupted.settle();
    expect([answersOn(counted, id), interrupted.waiting(id), ran]).toEqual([
      [],
      [requestOf(1), requestOf(2)],
      [],
    ]);
    interrupted.rerun(id, caller);
    interrupted.rerun(id, caller);
    expect(ran).toHaveLength(1);
    expect(ran[0]).toMatchObject({ requests: [requestOf(1), requestOf(2)], caller });
    // The one that was interrupted counts.
    expect(counted.store.streamRow(id)?.attempts).toBe(2);
  });

  test("runs without the requests of its POST that were answered before", () => {
    const counted = countedStore();
    const before = streamsOf(counted).open([1, 2], stored);
    void before.emit('{"jsonrpc":"2.0","id":1,"result":{}}', "1");
    const { interrupted, ran } = isolate(counted);
    interrupted.settle();
    interrupted.rerun(before.id, caller);
    expect(ran[0]?.requests).toEqual([requestOf(2)]);
  });

  test("is given up after three attempts, the first included, and may be sent anew", () => {
    const counted = countedStore();
    const { id } = streamsOf(counted).open([1, 2], stored);
    for (const attempt of [2, 3]) {
      const { interrupted, ran } = isolate(counted);
      interrupted.settle();
      interrupted.rerun(id, caller);
      expect([attempt, ran.length]).toEqual([attempt, 1]);
    }
    const { interrupted } = isolate(counted);
    interrupted.settle();
    const error = { reason: "interrupted", retryable: true };
    expect(interrupted.waiting(id)).toEqual([]);
    expect(answersOn(counted, id)).toEqual([
      [1, -32603, error],
      [2, -32603, error],
    ]);
  });

  test("whose time is over is answered so, when the isolate looks or when somebody comes", () => {
    const counted = countedStore();
    const early = streamsOf(counted).open([1], JSON.stringify([requestOf(1)]));
    isolate(counted, { now: 2000, maxCallMs: 1000 }).interrupted.settle();
    expect(answersOn(counted, early.id)).toEqual([[1, -32603, { reason: "timeout" }]]);

    const other = countedStore();
    const late = streamsOf(other).open([2], JSON.stringify([requestOf(2)]));
    const clock = { now: 1999 };
    const streams = streamsOf(other);
    const interrupted = createInterrupted({
      sessionId: row.id,
      emit: silent,
      store: other.store,
      maxCallMs: 1000,
      now: () => clock.now,
      isLive: () => true,
      streams: () => streams,
      run: () => Promise.reject(new Error("it must not run")),
    });
    interrupted.settle();
    expect(interrupted.waiting(late.id)).toEqual([requestOf(2)]);
    clock.now = 2000;
    expect(interrupted.waiting(late.id)).toEqual([]);
    interrupted.rerun(late.id, caller);
    expect(answersOn(other, late.id)).toEqual([[2, -32603, { reason: "timeout" }]]);
  });

  test("is answered where the server does not take it, or nobody with credentials is there", async () => {
    const counted = countedStore();
    const { id } = streamsOf(counted).open([1, 2], stored);
    const refusing = isolate(counted, { run: () => Promise.reject(new Error("no server")) });
    refusing.interrupted.settle();
    refusing.interrupted.rerun(id, caller);
    await Promise.resolve();
    await Promise.resolve();
    expect(answersOn(counted, id)).toHaveLength(2);

    const other = countedStore();
    const waiting = streamsOf(other).open([3], JSON.stringify([requestOf(3)]));
    const next = isolate(other);
    next.interrupted.settle();
    next.interrupted.giveUp(waiting.id);
    expect(answersOn(other, waiting.id)).toEqual([[3, -32603, { reason: "interrupted", retryable: true }]]);
    next.interrupted.rerun(waiting.id, caller);
    expect(next.ran).toEqual([]);
  });
});

test("in the isolate in which a session begins nothing is looked for", () => {
  const counted = countedStore();
  const { interrupted } = isolate(counted);
  interrupted.none();
  expect(counted.during(() => interrupted.settle())).toEqual([]);
});
