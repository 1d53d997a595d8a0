/** How much memory this process may use: the one adapter of `node:v8`. @module */
import process from "node:process";
import { getHeapStatistics } from "node:v8";

/**
 * What is set aside for a session in memory. With its server and its connection one takes some 100 KB; the rest is
 * for what it does, and for collections that find enough that is free: at twice as many they took three quarters
 * of the time.
 */
const SESSION_BYTES = 524_288;
/** Where the runtime has no limit of its own, as Bun has not. */
const WITHOUT_LIMIT = 10_000;

/** How many sessions the heap is large enough for: 900 or so in one of 256 MB, 8,500 in Node's of 4 GB. */
export function sessionsThatFit(): number {
  if (process.versions["bun"] !== undefined) return WITHOUT_LIMIT;
  const { heap_size_limit: bytes } = getHeapStatistics();
  return bytes > 0 ? Math.max(100, Math.floor(bytes / SESSION_BYTES)) : WITHOUT_LIMIT;
}
