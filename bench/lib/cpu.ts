/** What a process has used of the processor: a figure that other processes at work do not spoil. @module */
import { readFileSync } from "node:fs";

/** Clock ticks a second, as Linux counts them for its users. */
const TICKS = 100;

/** Milliseconds of all its threads until now; NaN where there is no `/proc`. */
export function cpuMs(pid: number): number {
  try {
    // After the name, which may hold anything: user and system time are the 12th and 13th field.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
  } catch {
    return Number.NaN;
  }
}
