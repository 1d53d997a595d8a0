/**
 * A session that a later version has stored: a deploy was taken back, or goes on beside this one. It is refused,
 * and nothing of it is touched, so that the version that can read it finds it as it was.
 * @module
 */
import { shortId } from "../log-text.ts";
import type { Refusal } from "../host.ts";
import { storedByLater } from "../jsonrpc/failures.ts";
import type { SessionOptions } from "./ports.ts";
import { type LaterSchema, SCHEMA_VERSION } from "./store/schema.ts";
import type { Session } from "./contract.ts";

/** How long until the alarm, which that version had set, rings again: here it can do nothing. */
const PUT_OFF_MS = 600_000;

/** Refuses everything with 503, tells the operator, and leaves the store as it is. */
export function createLaterSession(
  {
    id,
    settings,
    alarm,
    onShutdown,
    now,
  }: Pick<SessionOptions<unknown>, "id" | "settings" | "alarm" | "onShutdown" | "now">,
  { found }: LaterSchema,
): Session {
  const refuse = async (): Promise<Refusal> => {
    settings.emit("storage.newer", { session: shortId(id), found, known: SCHEMA_VERSION });
    return { kind: "refused", failure: storedByLater };
  };
  return {
    // For all that is known; whoever asks must not put another in its place.
    isLive: () => true,
    adopt: () => Promise.reject(new Error("the session exists, stored by a later version")),
    post: refuse,
    attach: refuse,
    end: refuse,
    // Not done, and no word of it to be taken for done.
    terminate: () =>
      Promise.reject(new Error("the session was stored by a later version, which alone can end it")),
    // Wants what it wanted: the hub must not forget it.
    notify: async () => [],
    alarm: async () => alarm.set(now() + PUT_OFF_MS),
    ack() {},
    reached() {},
    leave() {},
    restore: (_stream, outlet) => outlet.end("lost"),
    inMemory: () => ({ lastUsed: 0, calls: [], streams: [] }),
    isIdle: () => true,
    shutdown: () => onShutdown?.(),
  };
}
