/**
 * Workers Analytics Engine: one data point a call. In `wrangler.toml`:
 *
 * [[analytics_engine_datasets]]
 * binding = "CALLS"
 * @module
 */
import type { HoldfastEvent } from "../../src/index.ts";

/** The binding, as far as it is used here. */
export interface Dataset {
  writeDataPoint(point: { indexes: string[]; blobs: string[]; doubles: number[] }): void;
}

/**
 * To be given as `onEvent`. Of blobs there are method, name, outcome, era, revision, client, session; of doubles
 * milliseconds, characters of the answer, and the number of the attempt.
 */
export function analyticsEngine(dataset: () => Dataset): (event: HoldfastEvent) => void {
  return (event) => {
    if (event.type !== "call.ended") return;
    const { method, name, outcome, era, version, client, session } = event;
    dataset().writeDataPoint({
      indexes: [name ?? method ?? "unknown"],
      blobs: [method, name, String(outcome), era, version, client, session].map((text) => text ?? ""),
      doubles: [event.ms, event.bytes, event.attempts],
    });
  };
}
