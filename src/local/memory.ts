/** How many sessions this process may hold in memory: the one adapter of `node:v8` and of its collections. @module */
import { constants, PerformanceObserver } from "node:perf_hooks";
import process from "node:process";
import { getHeapStatistics } from "node:v8";

/**
 * What is set aside for a session in memory, before anything is known of it. With a small server and its connection
 * one takes some 30 KB, with thirty tools 180; the rest is for what it does.
 */
const SESSION_BYTES = 524_288;
/**
 * What V8's limit counts for the young generation, on top of what `--max-old-space-size` names: three times 64 MiB to
 * copy in, where no session stays.
 */
const YOUNG_BYTES = 192 * 2 ** 20;
/** Where the runtime has no limit of its own, as Bun has not. */
const WITHOUT_LIMIT = 10_000;
/**
 * Of the heap, what may be in use after a full collection. Above it collections follow one another: at
 * three quarters they took two thirds of the time.
 */
const FULL_SHARE = 0.6;
/** What is aimed at, by dropping sessions or by letting more in. */
const GOOD_SHARE = 0.5;
/** Sessions that there is always room for: with fewer the heap is full of something else. */
const LEAST = 32;

/** How many sessions may be in memory, where so many are. */
export interface Room {
  /** Those used longest ago are dropped for others from then on. */
  most(inMemory: number): number;
  /** The same, where none can be dropped and another is about to be turned away. */
  mostNow(inMemory: number): number;
}

/** What was in use after the last full collection, and how many there have been; nothing where the runtime does not tell. */
const collected = { bytes: 0, count: 0 };
let observer: PerformanceObserver | undefined;

/**
 * As many as the option says, or by the heap: 500 or so in one of 256 MB to begin with, 8,000 in Node's of 4 GB, then
 * fewer where they turn out to be large, and more where they are small. How large is the user's choice (a hundred tools
 * with schemas of their own are half a megabyte), so it is measured: what a full collection leaves in use tells. Nobody is
 * turned away until one is due, which with most of the heap free may be never: what is in use at the moment, garbage and
 * all, tells of room as well. As a rule it does not: sessions that can be dropped are not worth a heap that is half full,
 * where collections are two fifths of what opening one takes.
 * @param maxResidents 0 goes by the heap
 */
export function createRoom(maxResidents: number): Room {
  const { heap_size_limit: heap } = getHeapStatistics();
  if (maxResidents > 0 || heap === 0 || process.versions["bun"] !== undefined) {
    const given = (): number => maxResidents || WITHOUT_LIMIT;
    return { most: given, mostNow: given };
  }
  const limit = Math.max(heap - YOUNG_BYTES, heap / 2);
  observe();
  let most = Math.max(LEAST, Math.floor(limit / SESSION_BYTES));
  let seen = collected.count;
  const fitting = (inMemory: number, bytes: number): number =>
    Math.floor((inMemory * GOOD_SHARE * limit) / bytes);
  const grow = (inMemory: number, bytes: number): number =>
    (most = Math.max(most, Math.min(fitting(inMemory, bytes), 2 * most)));
  return {
    most(inMemory) {
      if (collected.count === seen) return most;
      seen = collected.count;
      // Each collection is one step: what was dropped after the last is seen by the next.
      if (collected.bytes > FULL_SHARE * limit) most = Math.max(LEAST, fitting(inMemory, collected.bytes));
      else if (inMemory >= most) grow(inMemory, collected.bytes);
      return most;
    },
    mostNow: (inMemory) => grow(inMemory, getHeapStatistics().used_heap_size),
  };
}

/** Begins to listen for full collections: once a process, and it does not keep it from ending. */
function observe(): void {
  const { supportedEntryTypes } = PerformanceObserver as { supportedEntryTypes?: readonly string[] };
  if (observer !== undefined || supportedEntryTypes?.includes("gc") !== true) return;
  observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as { detail?: { kind?: number } }[]) {
      if (detail?.kind !== constants.NODE_PERFORMANCE_GC_MAJOR) continue;
      collected.bytes = getHeapStatistics().used_heap_size;
      collected.count += 1;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
}
