/**
 * The two ends of a link within one process: a queue of whole frames between them, with nothing
 * serialised. Like a link between isolates it is paced by what the edge acknowledges, so that the queue
 * holds no more than the session's window.
 * @module
 */
import type { DisconnectReason } from "../events.ts";
import type { Link } from "../host.ts";
import type { Outlet } from "../session/streams/outlet.ts";
import { controlFrame } from "../sse/control.ts";
import { commentFrame } from "../sse/frames.ts";

/** What the two ends of a link ask of the host. */
export interface LinkHooks {
  /** Runs `action` once what was written until now is stored, or could not be: no frame leaves before. */
  settled(action: (isStored: boolean) => void): void;
  /** The edge has handed the client everything up to `seq`. */
  onAck(seq: number): void;
  /** The edge is done with the link, and why: heard once. `seq` is the last event that the client was handed. */
  onClose(seq: number, reason: DisconnectReason): void;
}

const encoder = new TextEncoder();
const LOST = commentFrame("gap: events before this place could not be stored");

/** Makes both ends; `openedAt` in milliseconds since 1970. */
export function createLink(
  connectionId: string,
  openedAt: number,
  { settled, onAck, onClose }: LinkHooks,
): { readonly link: Link; readonly outlet: Outlet } {
  /** Frames of events that are not stored yet, and the place that the connection has after them. */
  let pending = "";
  let pendingPlace = 0;
  let queue = "";
  /** Nothing more will be put into the queue. */
  let isEnded = false;
  /** Nothing more will be taken from it. */
  let isClosed = false;
  let wake: (() => void) | undefined;

  const release = (isStored: boolean): void => {
    queue += isStored ? pending : LOST;
    pending = "";
    wake?.();
    // What never leaves is never acknowledged, and would be taken for under way for ever.
    if (!isStored) onAck(pendingPlace);
  };

  const put = (frames: string, place: number): void => {
    if (isEnded || isClosed) return;
    const isFirst = pending === "";
    pending += frames;
    pendingPlace = place;
    if (isFirst) settled(release);
  };

  const outlet: Outlet = {
    connectionId,
    openedAt,
    send: put,
    end(reason) {
      put(controlFrame({ type: "end", value: reason }), pendingPlace);
      isEnded = true;
    },
  };

  const link: Link = {
    async read() {
      if (queue === "" && !isClosed && (!isEnded || pending !== ""))
        await new Promise<void>((resolve) => (wake = resolve));
      if (queue === "" || isClosed) return undefined;
      const frames = queue;
      queue = "";
      return encoder.encode(frames);
    },
    ack: onAck,
    // The end of the edge is the end of the process: there is nothing to prove.
    beat() {},
    close(reason, seq) {
      if (isClosed) return;
      isClosed = true;
      queue = "";
      wake?.();
      onClose(seq, reason);
    },
  };
  return { link, outlet };
}
