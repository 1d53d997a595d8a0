/** How many sessions this process may hold in memory. @module */
import { type Heap, ownHeap } from "./heap.ts";

/**
 * What is set aside for a session in memory, before anything is known of it. With a small server and its connection
 * one takes some 30 KB, with thirty tools 180; the rest is for what it does.
 */
const SESSION_BYTES = 524_288;
/** Where the heap has no limit. */
const WITHOUT_LIMIT = 10_000;
/**
 * Of the heap, what may be in use after a full collection. V8 lets half of what is free then fill up before the next, and
 * begins with that at once where it is less than its young generation: a heap of 256 MB of which half was in use was
 * collected all the time, and to open a session took 3 ms of processor time there, for 0.55 below.
 */
const FULL_SHARE = 0.5;
/** What is aimed at by dropping sessions, so that each that comes does not fill it again. */
const GOOD_SHARE = 0.45;
/** Sessions that there is always room for: with fewer the heap is full of something else. */
const LEAST = 32;

/** How many sessions may be in memory, where so many are. */
export interface Room {
  /** Those used longest ago are dropped for others from then on. */
  most(inMemory: number): number;
  /** The same, where none can be dropped and another is about to be turned away. */
  mostNow(inMemory: number): number;
}

/**
 * As many as the option says, or by the heap: 500 or so in one of 256 MB to begin with, 8,000 in Node's of 4 GB, then
 * fewer where they turn out to be large, and more where they are small. How large is the user's choice (a hundred tools
 * with schemas of their own are half a megabyte), so it is measured: what a full collection leaves in use tells.
 *
 * Nobody is turned away while there is reason to think that another fits, and there are two. As large as those of the
 * last collection, so many fit: however much garbage there is now, as there is while the next collection takes its time.
 * And with most of the heap free none may be due: what is in use at the moment, garbage and all, is no less than what
 * they take. As a rule neither is asked: sessions that can be dropped are not worth a heap that is half full.
 * @param maxResidents 0 goes by the heap
 */
export function createRoom(maxResidents: number, heap: Heap | undefined = ownHeap()): Room {
  if (maxResidents > 0 || heap === undefined) {
    const given = (): number => maxResidents || WITHOUT_LIMIT;
    return { most: given, mostNow: given };
  }
  const { limit, collected } = heap;
  let most = Math.max(LEAST, Math.floor(limit / SESSION_BYTES));
  let seen = collected.count;
  /** By the last collection; nobody was there before the first. */
  let fitting = 0;
  const fit = (inMemory: number, bytes: number, share = FULL_SHARE): number =>
    Math.floor((inMemory * share * limit) / bytes);
  const grow = (to: number): number => (most = Math.max(most, Math.min(to, 2 * most)));
  return {
    most(inMemory) {
      if (collected.count === seen) return most;
      seen = collected.count;
      fitting = fit(inMemory, collected.bytes);
      const good = fit(inMemory, collected.bytes, GOOD_SHARE);
      // Each collection is one step: what was dropped after the last is seen by the next.
      if (collected.bytes > FULL_SHARE * limit) most = Math.max(LEAST, good);
      else if (inMemory >= most) grow(good);
      return most;
    },
    mostNow: (inMemory) => grow(Math.max(fitting, fit(inMemory, heap.used()))),
  };
}
