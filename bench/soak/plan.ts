/** What a soak asks of its server, by chance, and the settings it does so under. @module */
import type { Plan } from "./client.ts";

/** True once in so many times. */
export const one = (of: number): boolean => Math.random() * of < 1;
/** From 1 to so many. */
export const upTo = (most: number): number => 1 + Math.floor(Math.random() * most);

/** Most calls are quick ones; of the others every third is dropped by its client in the middle. */
export function plan(): Plan {
  const by = Math.random();
  if (by < 0.7) return { on: "quick", count: 0, everyMs: 0, dropsAfter: undefined };
  const count = upTo(40);
  const everyMs = one(2) ? 0 : upTo(20);
  if (by < 0.8) return { on: "standalone", count, everyMs, dropsAfter: undefined };
  const dropsAfter = one(3) ? upTo(count) : undefined;
  return { on: by < 0.9 ? "request" : "progress", count, everyMs, dropsAfter };
}

/** How long sessions, messages and what is left of them are kept, in milliseconds: all of that comes round many times. */
export function keptMs(minutes: number): number {
  return Math.round(Math.min(120_000, Math.max(12_000, minutes * 3000)));
}

/** What the run's length makes of the times that bound what is kept. */
export function settingsFor(minutes: number): Record<string, string> {
  const kept = String(keptMs(minutes));
  return {
    HOLDFAST_KEEPALIVE_INTERVAL_MS: "5000",
    HOLDFAST_SUPERVISE_INTERVAL_MS: "10000",
    HOLDFAST_RETRY_MS: "500",
    HOLDFAST_SESSION_TTL_MS: kept,
    HOLDFAST_MESSAGE_TTL_MS: kept,
    HOLDFAST_TOMBSTONE_TTL_MS: kept,
    HOLDFAST_PROVISIONAL_TTL_MS: kept,
    // Streams come to their greatest age as well.
    HOLDFAST_MAX_STREAM_MS: String(Math.round(minutes * 10_000)),
  };
}
