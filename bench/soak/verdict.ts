/** What a soak must have shown: judged from its samples and accounts alone. @module */
import type { Verdict } from "../lib/part.ts";
import { brief, median } from "../lib/stats.ts";
import type { Faults } from "./account.ts";

/** A look at the server, while nothing is under way and after full collections. */
export interface Sample {
  /** Seconds since the start. */
  readonly at: number;
  /** Calls until then. */
  readonly calls: number;
  /** Bytes that V8 has in use, and what hangs on it outside. */
  readonly heap: number;
  /** Bytes of resident memory. */
  readonly resident: number;
  /** Open descriptors. */
  readonly files: number;
}

/** What is judged. */
export interface Soaked {
  readonly samples: readonly Sample[];
  readonly faults: Faults;
  /** Descriptors before the first stream and after the last. */
  readonly files: { readonly before: number; readonly after: number };
  /** What was done to the server and its clients, by name: each must have happened, or nothing was shown. */
  readonly done: Readonly<Record<string, number>>;
}

/** By how much memory may grow over the last half: by a share of it, or by so many bytes, whichever is more. */
export const BOUNDS = {
  heap: { share: 0.02, bytes: 1024 ** 2 },
  /** The allocator finds its level over some ten thousands of calls, tens of MiB higher: less than what a leak of a KiB a call makes of an hour. */
  resident: { share: 0.1, bytes: 64 * 1024 ** 2 },
} as const;

/** Looks that a slope needs. */
const LEAST_SAMPLES = 8;

/** Growth over the time of the samples: the median of the slopes of all pairs, which single high looks do not move. */
export function growth(samples: readonly Sample[], field: "heap" | "resident"): number {
  const slopes = samples.flatMap((a, index) =>
    samples.slice(index + 1).map((b) => (b[field] - a[field]) / (b.at - a.at)),
  );
  const [first, last] = [samples.at(0), samples.at(-1)];
  if (first === undefined || last === undefined || slopes.length === 0) return Number.NaN;
  return median(slopes) * (last.at - first.at);
}

const mebibytes = (bytes: number): string => `${brief(bytes / 1024 ** 2)} MiB`;

function flat(samples: readonly Sample[], field: "heap" | "resident"): Verdict {
  const { share, bytes } = BOUNDS[field];
  const all = samples.map((sample) => sample[field]);
  const base = median(all);
  const most = Math.max(share * base, bytes);
  const grown = growth(samples, field);
  const calls = (samples.at(-1)?.calls ?? 0) - (samples.at(0)?.calls ?? 0);
  return {
    target: `${field}: over the last half at most ${mebibytes(most)} more`,
    // With how far single looks are apart: a slope says little beside a wide one.
    figure: `${samples.length} looks, ${mebibytes(Math.min(...all))} to ${mebibytes(Math.max(...all))}, median ${mebibytes(base)}, ${grown < 0 ? "" : "+"}${mebibytes(grown)}, ${brief(grown / calls)} bytes a call`,
    met: samples.length >= LEAST_SAMPLES && grown <= most,
  };
}

/** One verdict for each thing that must hold. */
export function judge({ samples, faults, files, done }: Soaked): Verdict[] {
  const end = samples.at(-1)?.at ?? 0;
  const half = samples.filter(({ at }) => at >= end / 2);
  const none = (kind: "lost" | "twice" | "hung" | "wrong"): Verdict => ({
    target: `0 ${kind}`,
    figure: String(faults[kind]),
    met: faults[kind] === 0,
  });
  const idle = Object.keys(done).filter((name) => done[name] === 0);
  return [
    flat(half, "heap"),
    flat(half, "resident"),
    {
      target: `descriptors back at ${files.before}`,
      figure: String(files.after),
      met: files.after <= files.before,
    },
    none("lost"),
    none("twice"),
    none("hung"),
    none("wrong"),
    {
      target: "everything was done that is to be stood",
      figure: idle.length === 0 ? "all of it" : `never: ${idle.join(", ")}`,
      met: idle.length === 0,
    },
  ];
}
