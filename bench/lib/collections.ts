/**
 * What a server's collections of garbage take: told by V8 itself, `--trace-gc` on workerd and a
 * `PerformanceObserver` on Node. A 99th percentile depends on whether one of them falls into the time that is
 * measured; this does not.
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";

/** What runs, and where. */
interface Host {
  readonly host: "workerd" | "Node";
}
interface Server {
  readonly pid: number;
  readonly lines: readonly string[];
}

/** Milliseconds in which the isolate stood still, since the server's start. */
export interface Collections {
  /** Those of the whole heap. */
  readonly fullMs: number;
  /** Those and the young generation's. */
  readonly allMs: number;
}

const NONE: Collections = { fullMs: 0, allMs: 0 };
/** Where nothing is known of them. */
const UNKNOWN: Collections = { fullMs: Number.NaN, allMs: Number.NaN };

/** What must stand before workerd for V8's lines to come one by one: on a pipe they would wait for a full buffer. */
export const LINES: readonly string[] =
  spawnSync("stdbuf", ["--version"]).status === 0 ? ["stdbuf", "-oL"] : [];

/** Flags for a server whose collections are to be known. */
export function collectionFlags({ host }: Host): readonly string[] {
  if (host === "workerd") return LINES.length === 0 ? [] : ["--trace-gc"];
  return ["--import", new URL("collections-child.ts", import.meta.url).href];
}

/** Of V8's `--trace-gc`: `… ms: Mark-Compact 6.1 (8.9) -> 5.2 (9.1) MB, pooled: 0.0 MB, 40.33 / 0.02 ms  (…`. */
const TRACED =
  /ms: (Scavenge|Minor Mark-Compact|Mark-Compact)\b.*?MB, (?:pooled: [\d.]+ MB, )?([\d.]+) \/ [\d.]+ ms/;
/** How far each server's lines have been read. */
const traced = new WeakMap<object, Collections & { readonly read: number }>();
/** Of `collections-child.ts`. */
const TOLD = /^collections ([\d.]+) ([\d.]+)$/;

/** What they have taken so far. */
export async function collectionsOf({ host }: Host, { pid, lines }: Server): Promise<Collections> {
  if (host === "workerd") {
    if (LINES.length === 0) return UNKNOWN;
    // The last line may be on its way.
    await new Promise((resolve) => setTimeout(resolve, 20));
    let { read, fullMs, allMs } = traced.get(lines) ?? { read: 0, ...NONE };
    for (; read < lines.length; read++) {
      const [, kind, ms] = TRACED.exec(lines[read] ?? "") ?? [];
      if (kind === undefined) continue;
      allMs += Number(ms);
      if (kind === "Mark-Compact") fullMs += Number(ms);
    }
    traced.set(lines, { read, fullMs, allMs });
    return { fullMs, allMs };
  }
  const told = (): number => lines.filter((line) => TOLD.test(line)).length;
  const before = told();
  process.kill(pid, "SIGUSR2");
  for (let tries = 0; told() === before; tries++) {
    if (tries > 1000) throw new Error("a server does not tell of its collections");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const [, fullMs, allMs] = TOLD.exec(lines.findLast((line) => TOLD.test(line)) ?? "") ?? [];
  return { fullMs: Number(fullMs), allMs: Number(allMs) };
}
