/** What a part of the benchmarks is. @module */

export interface Context {
  /** A shorter run: fewer rounds, smaller sizes. */
  readonly quick: boolean;
  /** Says what is being done. */
  readonly say: (text: string) => void;
}

/** A target, and what was measured. */
export interface Verdict {
  readonly target: string;
  readonly figure: string;
  readonly met: boolean;
}

export interface Outcome<Row = object> {
  /** The figures, as they go into the JSON. */
  readonly rows: readonly Row[];
  readonly verdicts: readonly Verdict[];
}

export interface Part {
  readonly name: string;
  readonly what: string;
  run(context: Context): Promise<Outcome>;
  /** The rows as a table shows them. */
  show(rows: readonly object[]): object[];
}
