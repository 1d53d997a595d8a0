/** What `npm run soak` goes by: its accounts of messages, and what it makes of its looks at the server. */
import { describe, expect, test } from "vitest";
import { type Channel, type Faults, noFaults, openChannel } from "../../bench/soak/account.ts";
import { growth, judge, type Sample } from "../../bench/soak/verdict.ts";

describe("an account of numbered messages", () => {
  const opened = (): { faults: Faults; channel: Channel } => {
    const faults = noFaults();
    return { faults, channel: openChannel("a stream", faults) };
  };
  const came = (channel: Channel, ...numbers: number[]): void => numbers.forEach((n) => channel.came(n));

  test("is even where all came once, in order", () => {
    const { faults, channel } = opened();
    const batch = channel.promise(3);
    came(channel, 1, 2);
    batch.end = "all";
    expect(channel.missing()).toBe(1);
    came(channel, 3);
    expect(channel.missing()).toBe(0);
    channel.close();
    expect(faults).toMatchObject({ lost: 0, twice: 0, wrong: 0, said: [] });
  });

  test("counts what came again, and what came late as twice and lost", () => {
    const { faults, channel } = opened();
    channel.promise(5).end = "all";
    came(channel, 1, 2, 2, 4, 3, 5);
    channel.close();
    expect(faults).toMatchObject({ lost: 1, twice: 2 });
  });

  test("counts what is missing in the middle, at the end, and of a whole batch", () => {
    const { faults, channel } = opened();
    channel.promise(3).end = "all";
    channel.promise(2).end = "all";
    channel.promise(4).end = "all";
    came(channel, 1, 3, 6, 7);
    expect(faults.lost).toBe(1 + 2);
    channel.close();
    expect(faults.lost).toBe(1 + 2 + 2);
    expect(faults.said).toHaveLength(3);
  });

  test("takes a beginning of what was broken off, and no hole in it", () => {
    const { faults, channel } = opened();
    channel.promise(5).end = "beginning";
    channel.promise(5).end = "beginning";
    channel.promise(2).end = "all";
    came(channel, 1, 2, 11, 12);
    channel.close();
    expect(faults).toMatchObject({ lost: 0, twice: 0 });
    const other = opened();
    other.channel.promise(5).end = "beginning";
    came(other.channel, 1, 3);
    expect(other.faults.lost).toBe(1);
  });

  test("takes nothing that was never promised", () => {
    const { faults, channel } = opened();
    channel.promise(2).end = "all";
    came(channel, 1, 2, 3);
    expect(faults.wrong).toBe(1);
  });
});

describe("the verdict", () => {
  const MIB = 1024 ** 2;
  /** An hour of looks; `heap` for each of them. */
  const looks = (heapAt: (index: number) => number): Sample[] =>
    Array.from({ length: 60 }, (_, index) => ({
      at: index * 60,
      calls: index * 6000,
      heap: heapAt(index),
      resident: 300 * MIB,
      files: 300,
    }));
  const done = { kills: 4, cuts: 20 };
  const missed = (samples: readonly Sample[], more: object = {}): string[] =>
    judge({ samples, faults: noFaults(), files: { before: 25, after: 25 }, done, ...more })
      .filter(({ met }) => !met)
      .map(({ target }) => target);

  test("takes noise, a high look or two, and what is reached in the first half", () => {
    const noise = (index: number): number => ((index * 7919) % 13) * 0.1 * MIB;
    expect(missed(looks((index) => 60 * MIB + noise(index) + (index % 25 === 0 ? 20 * MIB : 0)))).toEqual([]);
    expect(missed(looks((index) => Math.min(60, index * 4) * MIB + noise(index)))).toEqual([]);
  });

  test("finds what a closure a call leaves", () => {
    const leak = looks((index) => 60 * MIB + index * 6000 * 64);
    expect(missed(leak)).toEqual([expect.stringMatching(/^heap/)]);
    expect(growth(leak, "heap")).toBeCloseTo(59 * 6000 * 64, 0);
    expect(missed(leak.map((look) => ({ ...look, heap: 60 * MIB, resident: 10 * look.heap })))).toEqual([
      expect.stringMatching(/^resident/),
    ]);
  });

  test("finds descriptors that stay, each kind of fault, and a run in which nothing happened", () => {
    const flat = looks(() => 60 * MIB);
    expect(missed(flat)).toEqual([]);
    expect(missed(flat, { files: { before: 25, after: 26 } })).toEqual(["descriptors back at 25"]);
    for (const kind of ["lost", "twice", "hung", "wrong"] as const)
      expect(missed(flat, { faults: { ...noFaults(), [kind]: 1 } })).toEqual([`0 ${kind}`]);
    expect(missed(flat, { done: { kills: 0, cuts: 20 } })).toEqual([expect.stringMatching(/^everything/)]);
    expect(missed(flat.slice(0, 10))).toEqual([
      expect.stringMatching(/^heap/),
      expect.stringMatching(/^resident/),
    ]);
  });
});
