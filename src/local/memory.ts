/** How much memory this process may use: the one adapter of `node:v8`. @module */
import process from "node:process";
import { getHeapStatistics } from "node:v8";

/** What is set aside for a session in memory, its server and its connection included. */
const SESSION_BYTES = 262_144;
/** Where the runtime has no limit of its own, as Bun has not. */
const WITHOUT_LIMIT = 10_000;

/** How many sessions the heap is large enough for: 1,800 or so in one of 256 MB, 17,000 in Node's of 4 GB. */
export function sessionsThatFit(): number {
  if (process.versions["bun"] !== undefined) return WITHOUT_LIMIT;
  const { heap_size_limit: bytes } = getHeapStatistics();
  return bytes > 0 ? Math.max(100, Math.floor(bytes / SESSION_BYTES)) : WITHOUT_LIMIT;
}
