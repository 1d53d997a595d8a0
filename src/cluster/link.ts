/**
 * The two ends of a link out of a session's owner: as `local/link.ts`, but that each frame waits for the gate by itself,
 * which opens by flushes and not by turns, and that a link can break.
 * @module
 */
import type { Link } from "../host.ts";
import type { Left } from "../session/contract.ts";
import type { Outlet } from "../session/streams/outlet.ts";
import { controlFrame } from "../sse/control.ts";

/** A link, and who hears of what becomes of it. */
export interface GatedLinkOptions {
  /** See {@link Link.at}. */
  readonly at: string | undefined;
  readonly connectionId: string;
  readonly openedAt: number;
  /**
   * True where the edge is in another process: as this one shuts down the edge dials again, at whoever has the session
   * next, and its client notices nothing.
   */
  readonly isForwarded: boolean;
  /** See `Gate.settled`. */
  readonly settled: (action: () => void) => void;
  readonly onAck: (seq: number) => void;
  /** The edge is done with the link. Heard once. */
  readonly onClose: (left: Left) => void;
}

/** The edge's end, as the owner hands it out. */
export interface OwnerLink extends Link {
  /** The edge is gone, and did not say what it had handed over. */
  lose(): void;
}

/** Both ends. */
export interface GatedLink {
  readonly link: OwnerLink;
  readonly outlet: Outlet;
  /** Nothing comes of it any more, whatever waits. */
  break(): void;
}

const encoder = new TextEncoder();

/** A link on which nothing has been sent. */
export function createGatedLink(options: GatedLinkOptions): GatedLink {
  const { at, connectionId, openedAt, isForwarded, settled, onAck, onClose } = options;
  let queue = "";
  /** Frames that wait at the gate. */
  let held = 0;
  let isEnded = false;
  let isClosed = false;
  let isBroken = false;
  let wake: (() => void) | undefined;

  const put = (frames: string): void => {
    if (isEnded || isClosed || isBroken) return;
    held += 1;
    settled(() => {
      held -= 1;
      queue += frames;
      wake?.();
    });
  };

  const close = (left: Left): void => {
    if (isClosed) return;
    isClosed = true;
    queue = "";
    wake?.();
    onClose(left);
  };

  return {
    outlet: {
      connectionId,
      openedAt,
      send: put,
      end(reason) {
        if (!isForwarded || reason !== "shutdown") put(controlFrame({ type: "end", value: reason }));
        isEnded = true;
        wake?.();
      },
    },
    link: {
      at,
      async read() {
        while (queue === "" && !isClosed && !isBroken && (!isEnded || held > 0))
          await new Promise<void>((resolve) => (wake = resolve));
        if (isBroken) throw new Error("the link broke");
        if (queue === "" || isClosed) return undefined;
        const frames = queue;
        queue = "";
        return encoder.encode(frames);
      },
      ack: onAck,
      beat() {},
      close: (reason, seq) => close({ reason, seq }),
      lose: () => close({}),
    },
    break() {
      isBroken = true;
      wake?.();
    },
  };
}
