/**
 * Accounts of numbered messages: what was promised, what came, and what is missing. A channel is what one
 * stream says in order; a batch is what one call sends on it.
 * @module
 */

/** What went wrong, by kind, and the first few in words. */
export interface Faults {
  /** Messages that never came, though their call succeeded. */
  lost: number;
  /** Messages that came again, or out of order. */
  twice: number;
  /** Calls and streams that nothing came of within their time. */
  hung: number;
  /** Anything else that no disturbance explains. */
  wrong: number;
  readonly said: string[];
  /** Hears each as it is found. */
  readonly hear: (what: string) => void;
}

/** Sentences that are kept. */
const SAID = 20;

export function noFaults(hear: (what: string) => void = () => {}): Faults {
  return { lost: 0, twice: 0, hung: 0, wrong: 0, said: [], hear };
}

/** Counts a fault. */
export function note(
  faults: Faults,
  kind: "lost" | "twice" | "hung" | "wrong",
  { what, count = 1 }: { what: string; count?: number },
): void {
  faults[kind] += count;
  if (faults.said.length >= SAID) return;
  faults.said.push(`${kind}: ${what}`);
  faults.hear(`${kind}: ${what}`);
}

/**
 * How a batch ended: `all` of it is owed; of one that was broken off (its server died) a beginning may have come;
 * until then it is `open`.
 */
export type BatchEnd = "open" | "all" | "beginning";

/** A batch: numbers `from` to before `to`. */
export interface Batch {
  readonly from: number;
  readonly to: number;
  end: BatchEnd;
}

/** One stream's account. */
export interface Channel {
  /** The next `count` numbers are to come. */
  promise(count: number): Batch;
  came(n: number): void;
  /** Numbers that are owed and have not come. */
  missing(): number;
  /** Nothing more will come: what is owed is lost. */
  close(): void;
}

/** @param name in what is said of it */
export function openChannel(name: string, faults: Faults): Channel {
  const batches: Batch[] = [];
  let promised = 1;
  /** All before it has come, or is accounted for. */
  let next = 1;

  /** Goes on to `n`: what lies between must be what broken batches never sent. */
  const skipTo = (n: number): void => {
    while (next < n) {
      const batch = batches[0];
      if (batch === undefined) return;
      const to = Math.min(n, batch.to);
      // Of a batch that goes on, or of which later numbers came, what is missing was sent.
      const isBrokenOff = batch.end === "beginning" && to === batch.to;
      if (!isBrokenOff && to > next)
        note(faults, "lost", {
          what: `${name}: ${next} to ${to - 1} of ${batch.from} to ${batch.to - 1}, before ${n} came`,
          count: to - next,
        });
      next = to;
      if (next === batch.to) batches.shift();
    }
  };

  return {
    promise(count) {
      const batch: Batch = { from: promised, to: promised + count, end: "open" };
      batches.push(batch);
      promised += count;
      return batch;
    },
    came(n) {
      if (n >= promised) return note(faults, "wrong", { what: `${name}: ${n} came and was never promised` });
      if (n < next) return note(faults, "twice", { what: `${name}: ${n} after ${next - 1}` });
      skipTo(n);
      next = n + 1;
      if (batches[0]?.to === next) batches.shift();
    },
    missing: () =>
      batches.reduce((sum, { from, to, end }) => sum + (end === "all" ? to - Math.max(from, next) : 0), 0),
    close() {
      for (const { from, to, end } of batches.splice(0)) {
        const first = Math.max(from, next);
        if (end === "all" && to > first)
          note(faults, "lost", { what: `${name}: ${first} to ${to - 1} never came`, count: to - first });
      }
    },
  };
}
