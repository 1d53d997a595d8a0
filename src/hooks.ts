/**
 * How the user's hooks are called: each throw and each rejection is one `hook.error` event with its stack,
 * and never more than that.
 * @module
 */
import type { EventSink } from "./events.ts";
import { messageOf } from "./log-text.ts";
import { guard, isThenable } from "./guard.ts";
import { inTime } from "./within.ts";

/** What of the user's can fail. */
export type HookName =
  | "admin"
  | "metrics"
  | "allowedOrigins"
  | "authorize"
  | "createServer"
  | "onCall"
  | "landing"
  | "onclose"
  | "onDisconnect"
  | "onEvent"
  | "onerror"
  | "rerun"
  | "scopeChallenge"
  | "sessionKey"
  | "tasks.tool"
  | "console"
  | "topic"
  | "waitUntil";

/** Tells the operator that a hook failed. */
export function hookFailed(emit: EventSink, hook: HookName, error: unknown): void {
  emit("hook.error", {
    hook,
    message: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
}

/** A hook whose promise has not settled in time. */
export class HookLate extends Error {
  constructor(hook: HookName, ms: number) {
    super(`${hook} has not settled within ${ms} ms`);
    this.name = "HookLate";
  }
}

/**
 * What a hook brings that a request waits for. One that gives no promise is not waited for, and costs no timer.
 * @throws {HookLate} after `ms`, whatever it may still bring
 */
export function hookInTime<T>(hook: HookName, brought: T | PromiseLike<T>, ms: number): T | Promise<T> {
  if (!isThenable(brought)) return brought as T;
  return inTime(Promise.resolve(brought), ms, () => new HookLate(hook, ms));
}

/**
 * Runs a hook and returns what it returned, or undefined where it failed. Never throws.
 * For a hook whose failure must end the request, catch it there and call {@link hookFailed}.
 */
export function runHook<T>(emit: EventSink, hook: HookName, run: () => T): T | undefined {
  return guard(run, (error) => hookFailed(emit, hook, error));
}
