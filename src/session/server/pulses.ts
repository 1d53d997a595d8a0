/**
 * When calls get a heartbeat: after a silence, and then again. One timer for all calls of a server, which is pending only
 * while one of them asked for progress.
 * @module
 */
import { createHeartbeat, type Heartbeat } from "./heartbeat.ts";
import type { JsonObject } from "../../jsonrpc/messages.ts";

/** A call that asked for progress. */
export interface Pulse {
  readonly heartbeat: Heartbeat;
  /** When its client last heard of progress, by the monotonic clock. */
  heardAt: number;
}

/** A call that is to get heartbeats, and where they go. */
export interface Beating {
  readonly pulse: Pulse;
  beat(params: JsonObject): void;
}

/** The heartbeats of all calls of one server. */
export interface Pulses {
  /** The pulse of a request that asked for progress under this token. */
  of(token: string | number): Pulse;
  /** The tool has reported progress: its params, as they may go out. */
  reported(pulse: Pulse, params: JsonObject): JsonObject;
  stop(): void;
}

/** Timers count whole milliseconds and may ring a part of one early. */
const EARLY_MS = 1;

/**
 * @param ms the silence
 * @param beating the calls in flight that have a pulse
 */
export function createPulses(ms: number, beating: () => readonly Beating[]): Pulses {
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
    of(token) {
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
