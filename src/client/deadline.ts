/**
 * The one limit of an attempt to connect, however many steps it takes.
 * @module
 */
import { ConnectError } from "./connect-error.ts";

/** The time that an attempt to connect has. */
export interface Deadline {
  /** Set once the time is over, or the caller has given up. */
  readonly failure: ConnectError | undefined;
  /** Settles as the promise does, or rejects with the failure as soon as there is one. */
  orExpired<T>(promise: Promise<T>): Promise<T>;
  /** Leaves no timer and no listener behind. */
  stop(): void;
}

/** @param signals each gives up when it aborts */
export function startDeadline(
  url: string,
  ms: number,
  signals: readonly (AbortSignal | undefined)[],
): Deadline {
  let failure: ConnectError | undefined;
  let expire: (error: ConnectError) => void;
  const expired = new Promise<never>((_, reject) => (expire = reject));
  // Between two steps nobody waits for it.
  expired.catch(() => undefined);
  const fail = (reason: "timeout" | "aborted", what: string, cause?: unknown): void => {
    failure ??= new ConnectError(url, what, { reason, cause });
    expire(failure);
  };
  const timer = setTimeout(() => fail("timeout", `no session within ${ms} ms`), ms);
  const watch = new AbortController();
  for (const signal of signals) {
    const abort = (): void => fail("aborted", "the caller gave up", signal?.reason);
    signal?.addEventListener("abort", abort, { signal: watch.signal });
    if (signal?.aborted) abort();
  }
  return {
    get failure() {
      return failure;
    },
    orExpired: (promise) => Promise.race([promise, expired]),
    stop() {
      clearTimeout(timer);
      watch.abort();
    },
  };
}
