/** This process' heap: the one adapter of `node:v8` and of its collections. @module */
import { constants, PerformanceObserver } from "node:perf_hooks";
import process from "node:process";
import { getHeapStatistics } from "node:v8";

/**
 * What V8's limit counts for the young generation, on top of what `--max-old-space-size` names: three times 64 MiB to
 * copy in, where no session stays.
 */
const YOUNG_BYTES = 192 * 2 ** 20;

/** A heap, in bytes. */
export interface Heap {
  /** Most that may be in use. */
  readonly limit: number;
  /** What is in use, garbage and all. */
  used(): number;
  /** What was in use after the last full collection, and how many there have been: none where the runtime does not tell. */
  readonly collected: Readonly<{ bytes: number; count: number }>;
}

const collected = { bytes: 0, count: 0 };
let observer: PerformanceObserver | undefined;

/** The heap of this process; undefined where the runtime has no limit of its own, as Bun has not. */
export function ownHeap(): Heap | undefined {
  const { heap_size_limit: all } = getHeapStatistics();
  if (all === 0 || process.versions["bun"] !== undefined) return undefined;
  observe();
  return { limit: Math.max(all - YOUNG_BYTES, all / 2), used, collected };
}

const used = (): number => getHeapStatistics().used_heap_size;

/** Begins to listen for full collections: once a process, and it does not keep it from ending. */
function observe(): void {
  const { supportedEntryTypes } = PerformanceObserver as { supportedEntryTypes?: readonly string[] };
  if (observer !== undefined || supportedEntryTypes?.includes("gc") !== true) return;
  observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as { detail?: { kind?: number } }[]) {
      if (detail?.kind !== constants.NODE_PERFORMANCE_GC_MAJOR) continue;
      collected.bytes = used();
      collected.count += 1;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
}
