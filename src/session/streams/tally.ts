/** Counts what comes in bursts, and tells of each burst once. @module */

/** Counts, and tells. */
export class Tally {
  readonly #ms: number;
  readonly #tell: (count: number) => void;
  #counted = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param tell hears, at most once in `ms`, how many there have been */
  constructor(ms: number, tell: (count: number) => void) {
    this.#ms = ms;
    this.#tell = tell;
  }

  add(count: number): void {
    this.#counted += count;
    this.#timer ??= setTimeout(() => this.flush(), this.#ms);
  }

  /** Tells what has been counted and not been told yet. */
  flush(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    const count = this.#counted;
    this.#counted = 0;
    if (count > 0) this.#tell(count);
  }
}
