/** What a running task says of itself: heard at once by who asks, passed on once in a while. @module */
import { guard } from "../guard.ts";

/** The last word of a call that runs. */
export interface Saying {
  say(message: string): void;
  /** What was said last; undefined for nothing. */
  said(): string | undefined;
  /** The call is over. */
  stop(): void;
}

/** Least time between two that are passed on: each is a row written, and a message to all who listen. */
const EVERY_MS = 1000;
/** Most characters. */
const MOST = 1024;

/** A message as it is kept. */
export function fit(message: string): string {
  return String(message).slice(0, MOST).toWellFormed();
}

/** @param pass takes the last message; what it throws is dropped with it */
export function createSaying(pass: (message: string) => void, now: () => number): Saying {
  let last: string | undefined;
  let passedAt = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const passOn = (): void => {
    timer = undefined;
    passedAt = now();
    guard(
      () => last !== undefined && pass(last),
      () => {},
    );
  };

  return {
    said: () => last,
    say(message) {
      last = fit(message);
      if (timer !== undefined) return;
      const waitMs = passedAt + EVERY_MS - now();
      if (waitMs <= 0) passOn();
      else timer = setTimeout(passOn, waitMs);
    },
    stop() {
      if (timer !== undefined) clearTimeout(timer);
      timer = undefined;
      last = undefined;
    },
  };
}
