/**
 * Work that goes on after its answer (`context.waitUntil`): a failure of it is told to the operator, and ends
 * nothing.
 * @module
 */
import type { EventSink } from "./events.ts";
import { hookFailed } from "./hooks.ts";

/**
 * How long a process that ends waits for such work, in milliseconds: less than process managers wait before they
 * kill (Docker: ten seconds).
 */
export const CLOSE_WORK_MS = 5000;

/** Takes a promise whose work is to go on, whatever becomes of the call that it came from. Never throws. */
export type WaitUntil = (promise: PromiseLike<unknown>) => void;

/** @param keep the platform's own; what it is given never rejects */
export function createWaitUntil(emit: EventSink, keep: (work: Promise<void>) => void): WaitUntil {
  return (promise) =>
    keep(
      Promise.resolve(promise).then(
        () => {},
        (error: unknown) => hookFailed(emit, "waitUntil", error),
      ),
    );
}

/** What is under way in one place. */
export interface Background {
  readonly waitUntil: WaitUntil;
  /** True while something goes on for which the place is to be kept. */
  isBusy(): boolean;
  /** Resolves once nothing goes on any more, or after `ms`. */
  settled(ms: number): Promise<void>;
}

/** What keeps the place of such work. */
export interface BackgroundOptions {
  /** What holds the work in the platform's own way. */
  readonly keep?: ((work: Promise<void>) => void) | undefined;
  /** Something goes on where nothing did. */
  readonly onBusy?: () => void;
  /** For how long a piece of work keeps its place, in milliseconds; for ever by default. It goes on after that, if the place does. */
  readonly mostMs?: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Nothing is under way at first. */
export function createBackground(emit: EventSink, options: BackgroundOptions): Background {
  return new Works(emit, options);
}

class Works implements Background {
  readonly waitUntil: WaitUntil;
  readonly #options: BackgroundOptions;
  /** What goes on, with when it no longer keeps the place. */
  #works: Map<Promise<void>, number> | undefined;
  #onSettled: (() => void) | undefined;

  constructor(emit: EventSink, options: BackgroundOptions) {
    this.#options = options;
    this.waitUntil = createWaitUntil(emit, (work) => this.#begin(work));
  }

  isBusy(): boolean {
    if (this.#works === undefined || this.#works.size === 0) return false;
    const at = this.#options.now();
    return [...this.#works.values()].some((until) => until > at);
  }

  settled(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#works === undefined || this.#works.size === 0) return resolve();
      const limit = setTimeout(resolve, ms);
      this.#onSettled = () => {
        clearTimeout(limit);
        resolve();
      };
    });
  }

  #begin(work: Promise<void>): void {
    const { keep, onBusy, mostMs = Infinity, now } = this.#options;
    const works = (this.#works ??= new Map());
    keep?.(work);
    works.set(work, now() + mostMs);
    void work.then(() => {
      works.delete(work);
      if (works.size === 0) this.#onSettled?.();
    });
    if (works.size === 1) onBusy?.();
  }
}
