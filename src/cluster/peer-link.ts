/** The edge's end of a stream that comes from another process: a body that is never silent for long. @module */
import type { Link } from "../host.ts";
import { controlFrame } from "../sse/control.ts";
import { SILENCE_MS } from "./wire.ts";

/** The body that is read, and who hears of what becomes of it. */
export interface PeerLinkOptions {
  readonly body: ReadableStreamDefaultReader<Uint8Array>;
  /** What has been read of it already. */
  readonly first: Uint8Array | undefined;
  readonly at: string | undefined;
  readonly onAck: (seq: number) => void;
  /** Heard once; `seq` where the edge says what its client was handed. */
  readonly onClose: (seq: number | undefined) => void;
}

/** A link that can be broken from here. */
export interface PeerLink extends Link {
  break(): void;
  /** Ends in order: its client is to come back, to another process. */
  shutdown(): void;
}

/** An acknowledgement is a request: see `worker/links.ts`. */
const ACK_BYTES = 65_536;
const ACK_MS = 1000;

const encoder = new TextEncoder();

/** Reads nothing before it is read. */
export function createPeerLink({ body, first, at, onAck, onClose }: PeerLinkOptions): PeerLink {
  let waiting = first;
  let isOver = false;
  let isShutDown = false;
  let interrupt: (() => void) | undefined;
  let seen = 0;
  let unacknowledged = 0;
  /** What was read last. */
  let underway = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const over = (seq: number | undefined): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    interrupt?.();
    onClose(seq);
  };

  const acknowledge = (): void => {
    clearTimeout(timer);
    timer = undefined;
    unacknowledged = 0;
    if (!isOver) onAck(seen);
  };

  /** The next chunk; undefined at the body's end, and where nothing comes of it any more. */
  const next = async (): Promise<Uint8Array | undefined> => {
    let silence: ReturnType<typeof setTimeout> | undefined;
    const broken = new Promise<undefined>((resolve) => {
      interrupt = (): void => resolve(undefined);
      silence = setTimeout(interrupt, SILENCE_MS);
    });
    try {
      return await Promise.race([body.read().then(({ value }) => value), broken]);
    } finally {
      clearTimeout(silence);
    }
  };

  return {
    at,
    async read() {
      if (isShutDown) {
        over(seen);
        return encoder.encode(controlFrame({ type: "end", value: "shutdown" }));
      }
      if (isOver) return undefined;
      // As in `worker/links.ts`: all that was read has been written.
      if (timer !== undefined && underway >= ACK_BYTES) acknowledge();
      const chunk =
        waiting !== undefined && waiting.length > 0 ? waiting : await next().catch(() => undefined);
      waiting = undefined;
      if (isShutDown) return this.read();
      if (isOver) return undefined;
      // Its other end is told, where it is still there: it holds the stream for nobody.
      if (chunk === undefined) over(undefined);
      else unacknowledged += underway = chunk.length;
      return chunk;
    },
    ack(seq) {
      seen = seq;
      if (unacknowledged >= ACK_BYTES) acknowledge();
      else if (!isOver) timer ??= setTimeout(acknowledge, ACK_MS);
    },
    beat() {},
    close: (_reason, seq) => over(seq),
    break: () => over(undefined),
    shutdown() {
      if (isOver) return;
      isShutDown = true;
      interrupt?.();
    },
  };
}
