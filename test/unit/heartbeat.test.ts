/** Progress that the transport reports where the tool reports none. */
import { array, assert, double, integer, nat, oneof, property, tuple, type Arbitrary } from "fast-check";
import { describe, expect, inject, it } from "vitest";
import { createHeartbeat, progressTokenOf } from "../../src/session/server/heartbeat.ts";

/** What a call does, step by step: silence long enough for a heartbeat, or the tool's own report. */
type Step = { beat: true } | { progress: number; total?: number };

const rising = array(oneof(double({ min: 0, max: 1e12, noNaN: true }), integer({ min: 0, max: 1000 })), {
  maxLength: 20,
}).map((values) => [...new Set(values)].toSorted((a, b) => a - b));

/** The tool's reports in their order, with heartbeats anywhere between. */
const calls: Arbitrary<Step[]> = tuple(rising, array(nat({ max: 5 }), { minLength: 21, maxLength: 21 })).map(
  ([values, beats]) => {
    const silence = (n: number): Step[] => Array.from({ length: beats[n] ?? 0 }, () => ({ beat: true }));
    return [...values.flatMap((progress, n): Step[] => [...silence(n), { progress }]), ...silence(20)];
  },
);

function play(steps: readonly Step[]): number[] {
  const heartbeat = createHeartbeat("token");
  return steps.map((step) =>
    Number(("beat" in step ? heartbeat.beat() : heartbeat.reported({ ...step }))["progress"]),
  );
}

describe("a heartbeat", () => {
  it("rises strictly with whatever the tool reports in between", () => {
    assert(
      property(calls, (steps) => {
        const values = play(steps);
        for (const [index, value] of values.entries()) {
          if (index > 0) expect(value).toBeGreaterThan(values[index - 1] as number);
        }
      }),
      { seed: inject("seed"), numRuns: 500 },
    );
  });

  it("stays below the tool's next value by any step that a person would see", () => {
    const day = Array.from({ length: 3456 }, (): Step => ({ beat: true }));
    const values = play([{ progress: 41 }, ...day, { progress: 42 }]);
    expect(values.at(-2)).toBeLessThan(41.000001);
    expect(values.at(-1)).toBe(42);
  });

  it("leaves the reports of a tool alone that nobody helped", () => {
    const heartbeat = createHeartbeat(7);
    for (const params of [
      { progressToken: 7, progress: 0 },
      { progressToken: 7, progress: 0 },
      { progressToken: 7, progress: 3, total: 9, message: "third" },
      { progressToken: 7, progress: 2 },
    ]) {
      expect(heartbeat.reported(params)).toBe(params);
    }
  });

  it("lifts a first report of 0 above the heartbeats before it", () => {
    const [first, second, reported] = play([{ beat: true }, { beat: true }, { progress: 0 }]);
    expect(first).toBe(0);
    expect(reported).toBeGreaterThan(second as number);
    expect(reported).toBeLessThan(0.001);
  });

  it("keeps the token and the total that the tool gave", () => {
    const heartbeat = createHeartbeat("t");
    heartbeat.reported({ progressToken: "t", progress: 5, total: 10 });
    expect(heartbeat.beat()).toMatchObject({ progressToken: "t", total: 10 });
  });
});

describe("a request's progress token", () => {
  it.each([
    [{ _meta: { progressToken: 0 } }, 0],
    [{ _meta: { progressToken: "" } }, ""],
    [{ _meta: {} }, undefined],
    [{}, undefined],
    [undefined, undefined],
  ])("of %j is %j", (params, token) => {
    expect(progressTokenOf(params)).toBe(token);
  });
});
