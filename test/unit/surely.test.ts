/** What a client has for certain of what its edge has passed on: nothing that was sent a moment ago. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createSurely } from "../../worker/surely.ts";

test("what was sent a moment ago is held to be on its way, whatever was acknowledged", () => {
  let now = 0;
  const surely = createSurely(0, () => now);
  surely.sent(4);
  expect(surely.has(4)).toBe(0);
  now = 499;
  expect(surely.has(4)).toBe(0);
  now = 500;
  expect(surely.has(3)).toBe(3);
  expect(surely.has(4)).toBe(4);
});

test("a place from before its link was taken up again counts at once", () => {
  const surely = createSurely(9, () => 0);
  expect(surely.has(7)).toBe(7);
  surely.sent(12);
  expect(surely.has(12)).toBe(9);
});

test("however sends and acknowledgements follow, it is what was acknowledged and is old, and never steps back", () => {
  const step = fc.record({ waits: fc.nat(700), acks: fc.double({ min: 0, max: 1, noNaN: true }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let now = 0;
      let acked = 0;
      let before = 0;
      const sentAt: number[] = [];
      const surely = createSurely(0, () => now);
      for (const { waits, acks } of steps) {
        now += waits;
        sentAt.push(now);
        surely.sent(sentAt.length);
        acked = Math.max(acked, Math.floor(acks * sentAt.length));
        const has = surely.has(acked);
        const old = (ms: number): number => sentAt.filter((at) => now - at >= ms).length;
        expect(has).toBeLessThanOrEqual(Math.min(acked, old(400)));
        expect(has).toBeGreaterThanOrEqual(Math.min(acked, old(600)));
        expect(has).toBeGreaterThanOrEqual(before);
        before = has;
      }
    }),
  );
});
