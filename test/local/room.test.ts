/** How many sessions may be in memory, by what the heap says: the rule, with numbers for a heap. */
import { expect, test } from "vitest";
import { createRoom, type Room } from "../../src/local/room.ts";

const MB = 2 ** 20;

/** Of 256 MB: 512 sessions are foreseen in it. */
function roomIn(state: { used: number }) {
  const collected = { bytes: 0, count: 0 };
  const room = createRoom(0, { limit: 256 * MB, used: () => state.used, collected });
  /** A full collection leaves so much, and the next request finds so many in memory. */
  const collect = (bytes: number, inMemory: number): number => {
    collected.bytes = bytes;
    collected.count += 1;
    return room.most(inMemory);
  };
  return { room, collect };
}

/** How many are let in, one after the other, before one is turned away. */
function letIn(room: Room, from: number): number {
  let inMemory = from;
  while (inMemory < room.most(inMemory) || inMemory < room.mostNow(inMemory)) inMemory++;
  return inMemory;
}

test("garbage turns nobody away: as many as the last collection has shown to fit are let in", () => {
  const state = { used: 0 };
  const { room, collect } = roomIn(state);
  expect(collect(54 * MB, 350)).toBe(512);
  // The next collection is under way and has not come to its end.
  state.used = 200 * MB;
  expect(letIn(room, 350)).toBe(Math.floor((350 * 128) / 54));
});

test("with most of the heap free no collection is due, and what is in use tells", () => {
  const { room } = roomIn({ used: 64 * MB });
  expect(room.most(512)).toBe(512);
  expect(room.mostNow(512)).toBe(1024);
});

test("where both say that half the heap is full, another is turned away", () => {
  const state = { used: 130 * MB };
  const { room, collect } = roomIn(state);
  expect(letIn(room, 500)).toBe(512);
  // 45 % is aimed at by dropping some; where none can be dropped there is room for one half.
  expect(collect(129 * MB, 512)).toBe(Math.floor((512 * 115.2) / 129));
  const fitting = Math.floor((512 * 128) / 129);
  expect(room.mostNow(512)).toBe(fitting);
  expect(letIn(room, 512)).toBe(512);
  // What was dropped is garbage first, then gone.
  state.used = 60 * MB;
  expect(room.mostNow(512)).toBe(2 * fitting);
});

test("a collection that leaves too much makes room for fewer, and no garbage for more", () => {
  const state = { used: 240 * MB };
  const { room, collect } = roomIn(state);
  expect(collect(200 * MB, 500)).toBe(288);
  expect(room.mostNow(500)).toBe(320);
  expect(collect(4096 * MB, 320)).toBe(32);
});

test("between what is aimed at and half of the heap nobody is dropped for others; below, more are let in", () => {
  const { collect } = roomIn({ used: 200 * MB });
  expect(collect(122 * MB, 512)).toBe(512);
  expect(collect(114 * MB, 512)).toBe(517);
});

test("no session that can be dropped is worth a heap that is half full", () => {
  const { room, collect } = roomIn({ used: 20 * MB });
  expect(collect(10 * MB, 300)).toBe(512);
  expect(collect(10 * MB, 512)).toBe(1024);
  expect(room.most(100_000)).toBe(1024);
});

test("what the option says holds, whatever the heap says", () => {
  const room = createRoom(7, { limit: 256 * MB, used: () => 1, collected: { bytes: 1, count: 1 } });
  expect([room.most(7), room.mostNow(7)]).toEqual([7, 7]);
});
