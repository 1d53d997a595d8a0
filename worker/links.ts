/**
 * The two ends of a link between edge and Durable Object: the body of a POST's answer, and, for
 * streams that may stand idle for hours, a hibernatable WebSocket.
 * @module
 */
import type { Link } from "../src/host.ts";
import { isObject } from "../src/jsonrpc/messages.ts";
import type { Outlet } from "../src/session/streams/outlet.ts";
import { controlFrame } from "../src/sse/control.ts";
import { join } from "../src/sse/join.ts";
import { fits, versionFrom } from "../src/wire/version.ts";
import { createSurely } from "./surely.ts";

const encoder = new TextEncoder();

/** What the runtime answers by itself, without waking the object. */
export const PING = "ping";
/** What the runtime answers to {@link PING} in the sleeping object's place. */
export const PONG = "pong";

/**
 * An acknowledgement is a WebSocket message to the object (a twentieth of a request): it goes after so many bytes,
 * for the pace, and else once in so long while something comes, for what a client that has no event id must not
 * get again. The object has sent something within that time, so it is awake: it sleeps after ten seconds at the earliest.
 */
const ACK_BYTES = 65_536;
const ACK_MS = 1000;
/** A link on which nothing has followed a ping for so long, not even its answer, is dead, whatever its state says. */
const SILENCE_MS = 25_000;

/** Largest WebSocket message sent; the platform's own limit is higher. */
const SLICE = 262_144;

/**
 * The edge's end of a POST's answer. Its pace is the body's own: the object knows what was read of it, which is more
 * than was written where the client is slow, and not that its client has gone. `onReached` tells it how far that came.
 */
export function bodyLink(
  body: ReadableStream<Uint8Array>,
  at: string | undefined,
  onReached: (seq: number) => Promise<void>,
): Link {
  const reader = body.getReader();
  let told: number | undefined;
  const reached = (seq: number): Promise<void> => {
    if (seq === told) return Promise.resolve();
    told = seq;
    return onReached(seq);
  };
  return {
    at,
    read: async () => (await reader.read()).value,
    ack() {},
    beat() {},
    reached,
    close(reason, seq) {
      // Of what ended otherwise it is as far as it was read, or goes on by another link.
      if (reason === "expired" || reason === "client" || reason === "failures") void reached(seq);
      reader.cancel().catch(() => {});
    },
  };
}

/**
 * The edge's end of a WebSocket.
 * @param isPrompt acknowledge each write by itself
 */
export function socketLink(socket: WebSocket, at: string | undefined, isPrompt = false): Link {
  let chunks: Uint8Array[] = [];
  let isOver = false;
  let wake: (() => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let seen = 0;
  /** Bytes read since the last acknowledgement, and those of them that came last, of which some may not be written. */
  let unacknowledged = 0;
  let underway = 0;
  /** When the first ping went out that nothing has followed. */
  let askedAt: number | undefined;
  const over = (): void => {
    isOver = true;
    if (timer !== undefined) clearTimeout(timer);
    wake?.();
  };
  socket.addEventListener("message", ({ data }) => {
    askedAt = undefined;
    if (data === PONG) return;
    chunks.push(typeof data === "string" ? encoder.encode(data) : new Uint8Array(data as ArrayBuffer));
    wake?.();
  });
  socket.addEventListener("close", over);
  socket.addEventListener("error", over);
  // Newer compatibility dates make blobs of binary messages, which can only be read asynchronously.
  socket.binaryType = "arraybuffer";
  socket.accept();
  const send = (text: string): void => {
    try {
      if (!isOver) socket.send(text);
    } catch {
      over();
    }
  };
  const acknowledge = (): void => {
    if (timer !== undefined) clearTimeout(timer);
    timer = undefined;
    unacknowledged = 0;
    send(`ack ${seen}`);
  };
  const close = (reason?: string): void => {
    over();
    try {
      socket.close(1000, reason);
    } catch {
      // Closed already, by the other end.
    }
  };
  return {
    at,
    async read() {
      // All that was read has been written: said at once where it was much, since more may wait for room.
      if (timer !== undefined && underway >= ACK_BYTES) acknowledge();
      if (chunks.length === 0 && !isOver) await new Promise<void>((resolve) => (wake = resolve));
      // All that has come: the client is written to once for it.
      const taken = chunks;
      chunks = [];
      if (taken.length === 0) return undefined;
      const bytes = join(taken);
      underway = bytes.length;
      unacknowledged += underway;
      return bytes;
    },
    ack(seq) {
      seen = seq;
      if (isPrompt || unacknowledged >= ACK_BYTES) acknowledge();
      else if (!isOver) timer ??= setTimeout(acknowledge, ACK_MS);
    },
    beat() {
      if (askedAt !== undefined && Date.now() - askedAt >= SILENCE_MS) return close();
      askedAt ??= Date.now();
      send(PING);
    },
    close: (reason, seq) => close(`${reason} ${seq}`),
  };
}

/** What the object must remember of a WebSocket while it sleeps. Another version may be the one that wakes. */
export interface SocketState {
  /** The wire's version; missing in version 0. */
  readonly wire?: number;
  readonly connectionId: string;
  readonly stream: number;
  readonly openedAt: number;
  /** The last event sent, and the last that the client is known to have been handed. */
  readonly place: number;
  readonly handed?: number;
  /** As in the client's `Attach`. */
  readonly notesPlace?: boolean | undefined;
}

/**
 * Reads what an object remembered of a WebSocket.
 * @throws {Unreadable}
 */
export function socketState(attachment: unknown): SocketState {
  fits(isObject(attachment), "the attachment");
  const { wire, connectionId, stream, openedAt, place } = attachment;
  fits(wire === undefined || typeof wire === "number", "the attachment's version");
  versionFrom(wire);
  fits(typeof connectionId === "string", "the attachment's connection");
  fits([stream, openedAt, place].every(Number.isInteger), "the attachment");
  return attachment as unknown as SocketState;
}

/** The object's end of a WebSocket. */
export function socketOutlet(
  socket: WebSocket,
  state: SocketState,
  { lastSeen, onBroken }: { readonly lastSeen: () => number; readonly onBroken: () => void },
): Outlet {
  const { connectionId, openedAt, notesPlace } = state;
  const surely = createSurely(state.place, Date.now);
  return {
    connectionId,
    openedAt,
    notesPlace,
    lastSeen,
    surely: surely.has,
    send(frames, place) {
      surely.sent(place);
      try {
        // Also what was acknowledged since: it is read from there.
        const held = socket.deserializeAttachment() as SocketState;
        socket.serializeAttachment({ ...held, place } satisfies SocketState);
        for (const slice of slices(frames)) socket.send(slice);
      } catch {
        onBroken();
      }
    },
    end(reason) {
      try {
        socket.send(controlFrame({ type: "end", value: reason }));
        socket.close(1000, reason);
      } catch {
        // Gone already.
      }
    },
  };
}

/** The object's end of a POST's answer. `onTaken` hears how far the edge has read, `onBroken` that it is gone. */
export function bodyOutlet(
  writable: WritableStream<Uint8Array>,
  connectionId: string,
  { onTaken, onBroken }: { readonly onTaken: (place: number) => void; readonly onBroken: () => void },
): Outlet {
  const writer = writable.getWriter();
  // The edge may be seen to leave while nothing is being written.
  writer.closed.catch(onBroken);
  /** What came while the edge was taking what went before: it goes out at once. */
  let waiting = "";
  let place = 0;
  let isWriting = false;
  let isEnded = false;

  const write = async (): Promise<void> => {
    isWriting = true;
    while (waiting !== "") {
      const bytes = encoder.encode(waiting);
      const upTo = place;
      waiting = "";
      await writer.write(bytes);
      onTaken(upTo);
    }
    isWriting = false;
    if (isEnded) await writer.close();
  };
  const put = (frames: string): void => {
    waiting += frames;
    if (!isWriting) write().catch(onBroken);
  };

  return {
    connectionId,
    openedAt: Date.now(),
    // The reader's cancellation does not cross to the object.
    isBlind: true,
    send(frames, upTo) {
      place = upTo;
      put(frames);
    },
    end(reason) {
      isEnded = true;
      put(controlFrame({ type: "end", value: reason }));
    },
  };
}

/** Large texts go as bytes, so that no cut falls inside a character. */
function slices(text: string): (string | Uint8Array)[] {
  if (text.length <= SLICE) return [text];
  const bytes = encoder.encode(text);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += SLICE) parts.push(bytes.subarray(at, at + SLICE));
  return parts;
}
