/**
 * Heartbeats of a call: progress that the transport reports where the tool reports none, so that clients whose
 * time-out begins anew with each progress notification (60 s in the official SDKs, `resetTimeoutOnProgress`;
 * 300 s in others) do not give up a call that is alive.
 *
 * The specification wants progress to rise with each notification (2025-11-25, utilities/progress), so a
 * heartbeat stands between what the tool said last and what it will say next: it rises by steps so small that
 * no display shows them. A tool whose own steps are smaller still has its value lifted above the last heartbeat;
 * one that reports values that do not rise is not corrected: that is its own doing.
 * @module
 */
import { isObject, type JsonObject, type JsonRpcNotification } from "../../jsonrpc/messages.ts";

/** What the client has been told of the progress of one call. */
export interface Heartbeat {
  /** Params of the next heartbeat. */
  beat(): JsonObject;
  /** What the tool reported, as it may go out. */
  reported(params: JsonObject): JsonObject;
}

/** A heartbeat's step, relative to the value: 3,456 of them, a day's, stay below a hundred-millionth. */
const STEP = 2 ** -40;

/** @param progressToken the client's, as it stood in the request */
export function createHeartbeat(progressToken: string | number): Heartbeat {
  /** The last value that went out, and the last that the tool gave. */
  let sent = 0;
  let given = -Infinity;
  let hasSent = false;
  /** What clients divide by stays what the tool said. */
  let total: unknown;

  const above = (value: number): number => value + Math.max(Math.abs(value), 1) * STEP;

  return {
    beat() {
      sent = hasSent ? above(sent) : 0;
      hasSent = true;
      return { progressToken, progress: sent, ...(total === undefined ? {} : { total }) };
    },
    reported(params) {
      const { progress } = params;
      if (typeof progress !== "number" || !Number.isFinite(progress)) return params;
      total = params["total"];
      const isRising = progress > given;
      given = progress;
      const lifted = hasSent && isRising && progress <= sent ? above(sent) : progress;
      sent = hasSent ? Math.max(sent, lifted) : lifted;
      hasSent = true;
      return lifted === progress ? params : { ...params, progress: lifted };
    },
  };
}

/** The progress token of a request's params, where it gave one. */
export function progressTokenOf(params: JsonObject | undefined): string | number | undefined {
  const meta = params?.["_meta"];
  const token = isObject(meta) ? meta["progressToken"] : undefined;
  return typeof token === "string" || typeof token === "number" ? token : undefined;
}

/** A heartbeat as it goes out. */
export function heartbeatMessage(params: JsonObject): JsonRpcNotification {
  return { jsonrpc: "2.0", method: "notifications/progress", params };
}
