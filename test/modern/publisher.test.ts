/** How an isolate hands changes to the hub. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Change } from "../../src/changes.ts";
import { eventSink } from "../../src/event-sink.ts";
import { createPublisher, type Publisher } from "../../worker/hub-publisher.ts";
import type { Publication } from "../../worker/hub-wire.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface Rig {
  readonly publisher: Publisher;
  /** What the hub was sent, in order. */
  readonly sent: Publication[];
  readonly failures: { changes: number; message: string }[];
  publish(from: number, to: number): void;
  /** The numbers of the changes in what was sent. */
  numbers(): number[];
}

function rig(
  answer: (publication: Publication) => Promise<void> = () => Promise.resolve(),
  background: (work: Promise<void>) => void = () => {},
): Rig {
  const sent: Publication[] = [];
  const failures: Rig["failures"] = [];
  const publisher = createPublisher({
    topic: "t",
    async send(publication) {
      sent.push(publication);
      await answer(publication);
    },
    background,
    emit: eventSink(({ level: _level, time: _time, ...event }) => {
      if (event.type === "listen.publish_failed") failures.push(event);
    }, "silent"),
  });
  const change = (n: number): Change => ({ kind: "resource_updated", uri: "u", params: { n } });
  return {
    publisher,
    sent,
    failures,
    publish(from, to) {
      for (let n = from; n <= to; n++) publisher.publish(change(n));
    },
    numbers: () =>
      sent.flatMap(({ changes }) =>
        changes.map((change) => Number("params" in change && change.params?.["n"])),
      ),
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test("what is published in one go is sent in one, in order; much of it in several", async () => {
  const { publish, sent, numbers, publisher } = rig();
  publish(1, 250);
  expect(publisher.isIdle()).toBe(false);
  await vi.runAllTimersAsync();
  expect(sent.map(({ changes }) => changes.length)).toEqual([100, 100, 50]);
  expect(numbers()).toEqual(upTo(250));
  expect(publisher.isIdle()).toBe(true);
});

test("one publication is under way at a time; what is published meanwhile goes with the next", async () => {
  const answers: (() => void)[] = [];
  const { publish, sent, numbers } = rig(() => new Promise((resolve) => answers.push(resolve)));
  publish(1, 1);
  await vi.advanceTimersByTimeAsync(0);
  for (let n = 2; n <= 10; n++) {
    publish(n, n);
    await vi.advanceTimersByTimeAsync(0);
  }
  expect(numbers()).toEqual([1]);
  answers[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(sent.map(({ changes }) => changes.length)).toEqual([1, 9]);
  expect(numbers()).toEqual(upTo(10));
});

test("a publication that may not have arrived is sent again, marked so, before anything that follows", async () => {
  let refusals = 2;
  const { publish, sent, failures } = rig(() =>
    refusals-- > 0 ? Promise.reject(new Error("reset")) : Promise.resolve(),
  );
  publish(1, 1);
  await vi.advanceTimersByTimeAsync(0);
  publish(2, 2);
  await vi.runAllTimersAsync();
  const [first, second, third, next] = sent;
  expect(sent.map(({ again }) => again)).toEqual([false, true, true, false]);
  expect(new Set([first?.id, second?.id, third?.id]).size).toBe(1);
  expect(next?.id).not.toBe(first?.id);
  expect(next?.changes).toHaveLength(1);
  expect(failures).toEqual([]);
});

test("a hub that cannot be reached is given up on, which is said; the next changes are tried anew", async () => {
  let isDown = true;
  const { publish, numbers, failures, sent } = rig(() =>
    isDown ? Promise.reject(new Error("down")) : Promise.resolve(),
  );
  publish(1, 3);
  await vi.runAllTimersAsync();
  expect(failures).toMatchObject([{ topic: "t", changes: 3, message: "down" }]);
  isDown = false;
  sent.length = 0;
  publish(4, 4);
  await vi.runAllTimersAsync();
  expect(numbers()).toEqual([4]);
});

test("a request that is cut off while it sends holds the others up for a moment only", async () => {
  let isFirst = true;
  const { publish, numbers } = rig(() => {
    if (!isFirst) return Promise.resolve();
    isFirst = false;
    // As the platform leaves the promises of a request that it has ended.
    return new Promise(() => {});
  });
  publish(1, 1);
  await vi.advanceTimersByTimeAsync(0);
  publish(2, 2);
  await vi.advanceTimersByTimeAsync(1000);
  expect(numbers()).toEqual([1]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(numbers()).toEqual([1, 2]);
});

test("publishing never throws: where nothing can be sent, that is said", () => {
  const { publish, failures } = rig(undefined, () => {
    throw new Error("not in a request");
  });
  publish(1, 2);
  expect(failures).toMatchObject([{ message: "not in a request" }]);
});

test("what waits for a hub is bounded", async () => {
  const { publish, failures } = rig(() => new Promise(() => {}));
  publish(1, 10_100);
  expect(failures).toHaveLength(100);
});
