/**
 * What an idle connection carries, by mode, and the guard against a connection that does nothing else.
 * @module
 */
import type { Settings } from "../options.ts";
import { keepaliveId } from "../sse/control.ts";
import { commentLine, frame } from "../sse/frames.ts";

/** The keepalives of one connection. */
export interface Keepalive {
  /** The next keepalive frame and its number, from 1. */
  next(): { bytes: Uint8Array; count: number };
  /** Mode `jsonrpc`: the last `ping` has not been answered. Always false in the other modes. */
  isUnanswered(): boolean;
  /** Notes an answer; true if it is to the last `ping`. */
  answer(id: string): boolean;
  /**
   * Set where keepalives follow one another too fast to be keepalives. Only they count: a burst of
   * real messages is what streams are for.
   */
  spin(): { count: number; elapsedMs: number } | undefined;
}

const encoder = new TextEncoder();
/** Encoded once: most connections send nothing else all day. */
const COMMENT = encoder.encode(commentLine("keepalive"));
const EVENT = encoder.encode(frame({ event: "keepalive", data: "{}" }));

/** @param openedAt when the connection was opened, by the monotonic clock */
export function createKeepalive(connectionId: string, openedAt: number, settings: Settings): Keepalive {
  const { keepaliveMode: mode, rapidMax, rapidWindowMs } = settings;
  let count = 0;
  let unanswered: string | undefined;
  /** Times of the last keepalives by the monotonic clock, no more than the guard needs. */
  const recent: number[] = [];

  const ping = (): Uint8Array => {
    const now = Date.now();
    const data = {
      timestamp: Math.floor(now / 1000),
      ping_count: count,
      connection_id: connectionId,
      uptime: Math.floor((performance.now() - openedAt) / 1000),
      server_time: new Date(now).toISOString(),
    };
    return encoder.encode(frame({ event: "ping", data: JSON.stringify({ event: "ping", data }) }));
  };

  const jsonrpc = (): Uint8Array => {
    unanswered = keepaliveId(connectionId, count);
    const data = JSON.stringify({ jsonrpc: "2.0", id: unanswered, method: "ping" });
    return encoder.encode(frame({ event: "message", data }));
  };

  return {
    next() {
      count += 1;
      if (rapidMax > 0) {
        recent.push(performance.now());
        if (recent.length > rapidMax + 1) recent.shift();
      }
      const bytes =
        mode === "comment" ? COMMENT : mode === "event" ? EVENT : mode === "ping" ? ping() : jsonrpc();
      return { bytes, count };
    },
    isUnanswered: () => unanswered !== undefined,
    answer(id) {
      if (id !== unanswered) return false;
      unanswered = undefined;
      return true;
    },
    spin() {
      const [oldest] = recent;
      if (rapidMax === 0 || oldest === undefined || recent.length <= rapidMax) return undefined;
      const elapsedMs = Math.round(performance.now() - oldest);
      return elapsedMs <= rapidWindowMs ? { count: recent.length, elapsedMs } : undefined;
    },
  };
}
