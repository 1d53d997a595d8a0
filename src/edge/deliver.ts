/**
 * Carries a stream from the session's link to the client's connection. The link may break (the
 * session's isolate was evicted, reset, deployed anew): then the edge dials again from the last event
 * that it wrote, and the client notices nothing.
 * @module
 */
import type { DisconnectReason } from "../events.ts";
import { atExpiry } from "../expiry.ts";
import type { Attached, Link } from "../host.ts";
import type { Settings } from "../options.ts";
import { type Control, parseControl } from "../sse/control.ts";
import { createDeframer, splitFrames } from "../sse/deframer.ts";
import { parseEventId } from "../sse/event-id.ts";
import { primingFrame } from "../sse/frames.ts";
import { createConnection, SLICE } from "./connection.ts";

/** What is carried, to whom, and how it goes on where the link breaks. */
export interface Delivery {
  readonly connectionId: string;
  readonly sessionId: string;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  readonly link: Link;
  /** What its client has shown, where the connection is to end with it. */
  readonly endsWith?: unknown;
  /**
   * Among several connections of one client that end with one token, this one is to come back after the others: in
   * so many milliseconds.
   */
  readonly comesLaterMs?: number | undefined;
  /** Written before anything else. */
  readonly prelude?: string;
  /** The client comes back to a stream that broke, and not to one that ended in order. */
  readonly breaks?: boolean | undefined;
  /** The client cannot come back: a link that ends for its age is dialled anew, and the client keeps its connection. */
  readonly renews?: boolean | undefined;
  /** Frames for a client whose stream is gone for good; `last` is what it was handed last. */
  readonly owed?: ((last: Uint8Array | undefined) => string) | undefined;
  /** Dials the session again, after the event with this id. */
  readonly redial: (lastEventId: string | undefined) => Promise<Attached>;
}

/** Pauses before each attempt to dial again. About half a minute in all: then the client is better off reconnecting. */
const REDIAL_AFTER_MS = [0, 50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800];

/**
 * How much later than its token such a connection ends. Clients keep one `retry:` for all their streams, the last that
 * they were told: the others are to have ended by then.
 */
const LATER_MS = 500;

/** Bytes that count as taken and may be lost where a connection is cut: what a runtime keeps before a socket. */
const TAKEN_BACK = 2 * SLICE;

const encoder = new TextEncoder();

/** Starts the delivery and returns the response's body. */
export function deliver(delivery: Delivery): ReadableStream<Uint8Array> {
  let { link } = delivery;
  let cursor = link.at;
  let seq = 0;

  const connection = createConnection({
    id: delivery.connectionId,
    sessionId: delivery.sessionId,
    settings: delivery.settings,
    signal: delivery.signal,
    breaks: delivery.breaks,
    onAlive: () => link.beat(),
  });
  let isOver = false;
  let isWriting = false;
  /** What a client has that is cut off: what came last may go down with its connection. */
  let surely = 0;
  let mark = 0;
  let sinceMark = 0;
  let isExpired = false;
  let patience: ReturnType<typeof setTimeout> | undefined;
  let last: Uint8Array | undefined;

  /** The end of the token is between two frames: a client that reads has the one that is being written. */
  const expire = (): void => {
    isExpired = true;
    if (!isWriting) return void leave();
    patience = setTimeout(() => connection.end("expired"), delivery.settings.sendTimeoutMs);
  };
  const leave = async (): Promise<void> => {
    // Before its client can come back.
    await link.reached?.(seq).catch(() => {});
    if (delivery.comesLaterMs !== undefined && cursor !== undefined && !isOver) {
      connection.write(encoder.encode(primingFrame(cursor, delivery.comesLaterMs))).catch(() => {});
    }
    connection.end("expired");
  };
  const forget = atExpiry(delivery.endsWith, expire, delivery.comesLaterMs === undefined ? 0 : LATER_MS);
  void connection.ended.then(async (reason) => {
    isOver = true;
    forget();
    if (patience !== undefined) clearTimeout(patience);
    const isCut =
      reason === "client" || reason === "failures" || (reason === "expired" && !(await connection.drained));
    link.close(reason, isCut && delivery.comesLaterMs !== undefined ? surely : seq);
  });

  const note = (id: string): void => {
    cursor = id;
    seq = parseEventId(id)?.seq ?? seq;
  };

  /** The session says where the connection stands: as it begins, above all. */
  const joined = (id: string): void => {
    const isFirst = seq === 0;
    note(id);
    if (isFirst) surely = mark = seq;
  };

  const hand = async ({ frames, count, id }: Frames): Promise<void> => {
    isWriting = true;
    await connection.write(frames, count);
    isWriting = false;
    if (id !== undefined) note(id);
    sinceMark += frames.length;
    if (sinceMark < TAKEN_BACK) return;
    surely = mark;
    mark = seq;
    sinceMark = 0;
  };

  /** Passes the link on until it ends; undefined where another is to follow. */
  const feed = async (from: Link): Promise<DisconnectReason | undefined> => {
    const deframer = createDeframer();
    for (;;) {
      const chunk = await from.read().catch(() => undefined);
      if (chunk === undefined) return undefined;
      const run = deframer.push(chunk);
      if (run === undefined) continue;
      let acknowledged = seq;
      for (const part of partsOf(run)) {
        if ("control" in part) {
          const { type, value } = part.control;
          if (type === "end") return value === "timeout" && delivery.renews ? undefined : value;
          if (type === "at") joined(value);
          else connection.pong(value);
          continue;
        }
        if (isExpired) return undefined;
        if (delivery.owed !== undefined) last = part.frames;
        await hand(part);
        if (isExpired) await leave();
        if (part.id === undefined) continue;
        // Each time: where saying it costs something, the link says it now and then.
        if (seq > acknowledged) from.ack((acknowledged = seq));
      }
    }
  };

  const dialAgain = async (): Promise<Link | DisconnectReason> => {
    for (const [attempts, pause] of REDIAL_AFTER_MS.entries()) {
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      if (isOver) return "client";
      const attached = await delivery.redial(cursor).catch(() => undefined);
      if (attached === undefined) continue;
      if (attached.kind === "refused") {
        // 503: not now. Two versions are deployed that cannot read each other, until one of them is gone.
        if (attached.failure.status === 503) continue;
        return "deleted";
      }
      const { connectionId } = delivery;
      delivery.settings.emit("connection.redialled", { connectionId, attempts: attempts + 1 });
      return attached.link;
    }
    return "lost";
  };

  const run = async (): Promise<void> => {
    if (delivery.prelude !== undefined) await connection.write(encoder.encode(delivery.prelude));
    for (;;) {
      const reason = await feed(link);
      if (isOver || isExpired) return;
      if (reason !== undefined) return connection.end(reason);
      const next = await dialAgain();
      if (typeof next === "string") {
        const owed = next === "deleted" ? delivery.owed?.(last) : undefined;
        if (owed !== undefined) await connection.write(encoder.encode(owed));
        return connection.end(next);
      }
      link = next;
      if (isOver) return link.close("client", seq);
    }
  };

  // A write that fails has ended the connection already; anything else must not leave it open unfed.
  run().catch(() => connection.end("lost"));
  return connection.readable;
}

/** Whole frames for the client, so many; `id` is that of the last event among them. */
interface Frames {
  readonly frames: Uint8Array;
  readonly count: number;
  readonly id: string | undefined;
}

type Part = { readonly control: Control } | Frames;

/** Splits whole frames into control frames and the runs of client frames between them. */
function partsOf(run: Uint8Array): Part[] {
  const parts: Part[] = [];
  let start = 0;
  let end = 0;
  let count = 0;
  let id: string | undefined;
  const flush = (): void => {
    if (count > 0) parts.push({ frames: run.subarray(start, end), count, id });
    count = 0;
    id = undefined;
  };
  for (const frame of splitFrames(run)) {
    const control = parseControl(frame);
    if (control === undefined) {
      // What is written in slices may be taken in part: then the frames before the cut count as handed.
      if (end - start + frame.length > SLICE) {
        flush();
        start = end;
      }
      id = idOf(frame) ?? id;
      count += 1;
      end += frame.length;
      continue;
    }
    flush();
    if (control !== "unknown") parts.push({ control });
    start = end = end + frame.length;
  }
  flush();
  return parts;
}

const LF = 10;
const COLON = 0x3a;
const decoder = new TextDecoder();

/** The event id of a frame that starts with one, as ours do, after a comment perhaps. */
function idOf(frame: Uint8Array): string | undefined {
  let at = 0;
  while (frame[at] === COLON) at = frame.indexOf(LF, at) + 1;
  // "id: "
  if (frame[at] !== 0x69 || frame[at + 1] !== 0x64 || frame[at + 2] !== COLON) return undefined;
  return decoder.decode(frame.subarray(at + 4, frame.indexOf(LF, at)));
}
