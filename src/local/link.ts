/**
 * The two ends of a link within one process: a queue of whole frames between them, with nothing
 * serialised. Like a link between isolates it is paced by what the edge acknowledges, so that the queue
 * holds no more than the session's window.
 * @module
 */
import type { Link } from "../host.ts";
import type { Outlet } from "../session/ports.ts";
import { controlFrame } from "../sse/control.ts";

export interface LinkHooks {
  /** The edge has handed the client everything up to `seq`. */
  onAck(seq: number): void;
  /** The edge is done with the link: heard once. `seq` is the last event that the client was handed. */
  onClose(seq: number): void;
}

const encoder = new TextEncoder();

export function createLink(
  connectionId: string,
  openedAt: number,
  { onAck, onClose }: LinkHooks,
): { readonly link: Link; readonly outlet: Outlet } {
  let queue = "";
  /** Nothing more will be put into the queue. */
  let isEnded = false;
  /** Nothing more will be taken from it. */
  let isClosed = false;
  let wake: (() => void) | undefined;

  const put = (frames: string): void => {
    if (isEnded || isClosed) return;
    queue += frames;
    wake?.();
  };

  const outlet: Outlet = {
    connectionId,
    openedAt,
    send: put,
    end(reason) {
      put(controlFrame({ type: "end", value: reason }));
      isEnded = true;
    },
  };

  const link: Link = {
    async read() {
      if (queue === "" && !isEnded && !isClosed) await new Promise<void>((resolve) => (wake = resolve));
      if (queue === "" || isClosed) return undefined;
      const frames = queue;
      queue = "";
      return encoder.encode(frames);
    },
    ack: onAck,
    // The end of the edge is the end of the process: there is nothing to prove.
    beat() {},
    close(_reason, seq) {
      if (isClosed) return;
      isClosed = true;
      queue = "";
      wake?.();
      onClose(seq);
    },
  };
  return { link, outlet };
}
