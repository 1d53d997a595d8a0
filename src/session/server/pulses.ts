/**
 * When calls get a heartbeat: after a silence, and then again. One timer for all calls of a server, which is pending only
 * while one of them asked for progress.
 * @module
 */
import { createHeartbeat, type Heartbeat, progressTokenOf } from "./heartbeat.ts";
import type { JsonObject, JsonRpcRequest } from "../../jsonrpc/messages.ts";

/** A call that asked for progress. */
export interface Pulse {
  readonly heartbeat: Heartbeat;
  /** When its client last heard of progress, by the monotonic clock. */
  heardAt: number;
}

/** The heartbeats of all calls of one server. */
export interface Pulses {
  /** The pulse of a request, where it asked for progress. */
  of(request: JsonRpcRequest): Pulse | undefined;
  /** The tool has reported progress: its params, as they may go out. */
  reported(pulse: Pulse, params: JsonObject): JsonObject;
  stop(): void;
}

/** Timers count whole milliseconds and may ring a part of one early. */
const EARLY_MS = 1;

/**
 * @param ms the silence; 0 for no heartbeats
 * @param beating the calls in flight that have a pulse, each with where its heartbeats go
 */
export function createPulses(
  ms: number,
  beating: () => readonly { readonly pulse: Pulse; beat(params: JsonObject): void }[],
): Pulses {
  let timer: ReturnType<typeof setTimeout> | undefined;

  const look = (): void => {
    timer = undefined;
    const now = performance.now();
    let next = Infinity;
    for (const { pulse, beat } of beating()) {
      if (pulse.heardAt + ms <= now + EARLY_MS) {
        pulse.heardAt = now;
        beat(pulse.heartbeat.beat());
      }
      next = Math.min(next, pulse.heardAt + ms);
    }
    if (next < Infinity) arm(next - now);
  };
  const arm = (after: number): void => {
    timer ??= setTimeout(look, Math.max(0, after));
  };

  return {
    of({ params }) {
      const token = ms === 0 ? undefined : progressTokenOf(params);
      if (token === undefined) return undefined;
      arm(ms);
      return { heartbeat: createHeartbeat(token), heardAt: performance.now() };
    },
    reported(pulse, params) {
      pulse.heardAt = performance.now();
      return pulse.heartbeat.reported(params);
    },
    stop() {
      if (timer !== undefined) clearTimeout(timer);
      timer = undefined;
    },
  };
}
