/**
 * How the user's hooks are called: each throw and each rejection is one `hook.error` event with its stack,
 * and never more than that.
 * @module
 */
import { type EventSink, messageOf } from "./events.ts";
import { guard } from "./guard.ts";

/** What of the user's can fail. */
export type HookName =
  | "admin"
  | "allowedOrigins"
  | "authorize"
  | "createServer"
  | "onCall"
  | "onclose"
  | "onDisconnect"
  | "onEvent"
  | "onerror"
  | "rerun"
  | "scopeChallenge"
  | "sessionKey"
  | "testPage"
  | "topic";

/** Tells the operator that a hook failed. */
export function hookFailed(emit: EventSink, hook: HookName, error: unknown): void {
  emit("hook.error", {
    hook,
    message: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
}

/**
 * Runs a hook and returns what it returned, or undefined where it failed. Never throws.
 * For a hook whose failure must end the request, catch it there and call {@link hookFailed}.
 */
export function runHook<T>(emit: EventSink, hook: HookName, run: () => T): T | undefined {
  return guard(run, (error) => hookFailed(emit, hook, error));
}
