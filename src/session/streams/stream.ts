/**
 * One stream of a session: a log, and at most one connection that is being fed from it.
 *
 * Sending live, catching up after a resume and waiting for a slow reader are one mechanism: the
 * connection has a place in the log, and `pump` moves it forward while the window has room. The log
 * is the only queue, so memory stays bounded by the window whatever the reader does.
 * @module
 */
import type { DisconnectReason } from "../../events.ts";
import { controlFrame } from "../../sse/control.ts";
import { formatEventId } from "../../sse/event-id.ts";
import { asideFrame, commentFrame, commentLine, messageFrame, primingFrame } from "../../sse/frames.ts";
import type { EventLog } from "./log.ts";
import { createPatience } from "./patience.ts";
import type { Outlet } from "./outlet.ts";
import type { StoredEvent } from "../store/schema.ts";

/** Characters that may be under way to an edge before it has acknowledged any. */
const WINDOW = 262_144;
/** A connection that has fallen behind catches up once it has this much room: few long reads of the log, not many short ones. */
const REFILL = WINDOW / 2;

/** What may be sent in one turn of the event loop while nobody reads: a server that sends on and on must let others in. */
const UNREAD_EVENTS = 32;

/** How a connection joins. */
export interface Joining {
  /** Everything up to this event has been seen. */
  readonly after: number;
  /**
   * Whether to open with a priming event, with a comment alone so that the first bytes come at once, or with
   * nothing (the client has had them). `retry:` is in priming only: nobody who speaks an earlier version of
   * Streamable HTTP reads it, and go-sdk before 1.4 and Java's SDK before 2.1 fail on it.
   */
  readonly opening: "prime" | "plain" | "none";
  /** Undefined for a client that is to have no `retry:`. */
  readonly retryMs: number | undefined;
  /** Its client comes back without an event id: what it was handed is noted as it is acknowledged, one row each time. */
  readonly notesPlace?: boolean;
  /** When its client's token runs out, and the edge ends it; undefined where that is not known. */
  readonly expiresAt: number | undefined;
}

/** What a stream reports to those who keep the session's. */
export interface StreamHooks {
  /** A connection met a gap in the log. */
  onGap(missed: number): void;
  /** Bounds forced events out that no client had. */
  onOverflow(dropped: number): void;
  /** A connection left or came back, and its client was handed everything up to `seq`. */
  onDelivered(seq: number): void;
}

/** A log, and at most one connection that is fed from it. */
export interface Stream {
  readonly id: number;
  readonly log: EventLog;
  /** True once every request it answers is answered: nothing more will come. */
  isComplete(): boolean;
  outlet(): Outlet | undefined;
  /**
   * When the last connection ended with its client's token, where no client has come for the rest since; undefined
   * where that is not so, or nothing is left.
   */
  forsakenAt(now: number): number | undefined;
  /** The last event that its client is known to have been handed. */
  handed(): number;
  /** Where a client goes on that comes without an event id: after what was handed on, as far as is known. */
  resumePoint(): number;
  /**
   * Stores a message, then passes it on. Resolves once the reader's pace allows more; without a reader, every now
   * and then in a later turn of the event loop.
   */
  emit(json: string, answers: string | null): Promise<void>;
  /** Attaches a connection; one that was there ends, having kept what it was handed. */
  attach(outlet: Outlet, joining: Joining): void;
  /**
   * Takes up a connection that outlived the isolate (a hibernated WebSocket), at its place; its client is known
   * to have been handed everything up to `handed`.
   */
  restore(outlet: Outlet, place: number, handed: number): void;
  /** The edge has handed the client everything up to `seq`. */
  ack(connectionId: string, seq: number): void;
  /**
   * The client of a POST's connection came as far as `seq`, whatever was acknowledged: what a body's reader has taken it
   * need not have written. May be said after the session has ended the connection. Not stored.
   */
  reached(connectionId: string, seq: number): void;
  /** The connection is over; `seq` is the last event its client was handed, where that is known. */
  leave(connectionId: string, seq?: number): void;
  /** Ends the connection, if there is one. */
  end(reason: DisconnectReason): void;
  /** A frame for the edge alone, if a connection is there. */
  tell(frame: string): void;
  /** A message for the client that is kept nowhere: it is sent where a connection is there and has all before it. */
  aside(json: string): void;
  /** Has the edge at the other end written to, so that one which is gone is noticed. It is told its place once more. */
  probe(): void;
  /** Lets events up to `seq` go for what the session has no room for; a connection that needed one of them ends. */
  shed(seq: number): void;
  /** The connection that is there still needs what is after this event; undefined where none is. */
  neededAfter(): number | undefined;
  /** Marks the stream complete; its connection ends as soon as it has everything. */
  finish(): void;
}

interface Attachment {
  readonly outlet: Outlet;
  /** Brought by an edge that dialled again, not by a client. */
  readonly redialled: boolean;
  readonly notesPlace: boolean;
  /** Where it joined. */
  readonly from: number;
  /** Set while it waits for its first look into the log (`patience.ts`). */
  timer: ReturnType<typeof setTimeout> | undefined;
  sent: number;
  /** What its edge has handed to the client. */
  acked: number;
  /** What is under way: `[place, characters]`, oldest first. */
  readonly underway: [number, number][];
  outstanding: number;
}

/** The stream as it is stored. */
export interface StreamOptions {
  readonly id: number;
  readonly log: EventLog;
  /** In front of event ids, see `event-id.ts`. */
  readonly prefix: string;
  /** The last event that earlier connections are known to have handed to their clients, as it is stored. */
  readonly delivered: number;
  /** Whether nothing more will come on it. */
  readonly complete: boolean;
  readonly hooks: StreamHooks;
}

/** Without a connection; its log may hold events already. */
export function createStream(options: StreamOptions): Stream {
  const { id, log, prefix, hooks } = options;
  let { delivered, complete } = options;
  let attachment: Attachment | undefined;
  /** What the storage knows of `delivered`: it goes along with each event, and is written by itself as connections come and go. */
  let recorded = delivered;
  /** Sent since the last pause while nobody reads: events, and characters. */
  let unread = 0;
  let unreadSize = 0;
  let paced: (() => void)[] = [];
  /** The connection that came last: where it joined, and the end of its client's token. */
  let latest: { readonly connectionId: string; readonly from: number } | undefined;
  let expiresAt: number | undefined;

  const eventId = (seq: number): string => formatEventId(id, seq, prefix);

  const release = (): void => {
    const waiting = paced;
    paced = [];
    for (const resume of waiting) resume();
  };

  const patience = createPatience();

  const drop = (): Attachment | undefined => {
    const dropped = attachment;
    attachment = undefined;
    if (dropped?.timer !== undefined) clearTimeout(dropped.timer);
    release();
    return dropped;
  };

  const end = (reason: DisconnectReason): void => drop()?.outlet.end(reason);

  /** The client of this connection has gone, or has come by another. One that got nothing, since there was nothing, is not held to it. */
  const left = ({ from, sent, acked, timer }: Attachment, seq: number): void => {
    if (timer === undefined && sent > from) patience.left(Math.max(acked, seq) > from);
  };

  /** Notes that a client has everything up to `seq`, and has it stored. */
  const handed = (seq: number): void => {
    delivered = Math.max(delivered, Math.min(seq, log.last()));
    if (delivered <= recorded) return;
    recorded = delivered;
    hooks.onDelivered(delivered);
  };

  const overflowed = (dropped: number): void => {
    hooks.onOverflow(dropped);
    end("overflow");
  };

  /** Moves a connection past events that are all gone, and tells its client. */
  const skip = (to: Attachment): string => {
    const missed = log.last() - to.sent;
    to.sent = log.last();
    hooks.onGap(missed);
    return commentFrame(`gap: ${missed} events before this place are no longer held`);
  };

  const pause = (size: number): Promise<void> => {
    unread += 1;
    unreadSize += size;
    if (unread < UNREAD_EVENTS && unreadSize < WINDOW) return Promise.resolve();
    unread = unreadSize = 0;
    return new Promise((resolve) => setTimeout(resolve, 0));
  };

  const pass = (to: Attachment, events: readonly StoredEvent[]): void => {
    let text = "";
    for (const event of events) {
      const start = text.length;
      const missed = event.seq - to.sent - 1;
      if (missed > 0) {
        hooks.onGap(missed);
        text += commentLine(`gap: ${missed} events before this one are no longer held`);
      }
      to.sent = event.seq;
      text += messageFrame(eventId(event.seq), event.data);
      // Each by itself: the edge may acknowledge in the middle of what goes out at once, and then no more.
      to.underway.push([event.seq, text.length - start]);
    }
    to.outstanding += text.length;
    to.outlet.send(text, to.sent);
  };

  /** `fresh` is an event that was appended just now: the connection that is up to date need not read it back. */
  const pump = (fresh?: StoredEvent): void => {
    const to = attachment;
    if (to === undefined || to.timer !== undefined) return;
    if (fresh !== undefined && to.sent === fresh.seq - 1 && to.outstanding < WINDOW) pass(to, [fresh]);
    // `send` may find the link broken and take the attachment away.
    while (attachment === to && to.sent < log.last() && to.outstanding <= WINDOW - REFILL) {
      const events = log.after(to.sent, WINDOW - to.outstanding);
      if (events.length > 0) pass(to, events);
      else to.outlet.send(skip(to) + controlFrame({ type: "at", value: eventId(to.sent) }), to.sent);
    }
    if (attachment !== to || to.sent < log.last()) return;
    release();
    if (complete) end("done");
  };

  return {
    id,
    log,
    isComplete: () => complete,
    outlet: () => attachment?.outlet,
    forsakenAt(now) {
      if (expiresAt === undefined || expiresAt > now) return undefined;
      // An edge that only a write finds gone may still seem to be there.
      const known = attachment?.acked ?? delivered;
      return complete && known >= log.last() ? undefined : expiresAt;
    },
    handed: () => delivered,
    resumePoint: () => attachment?.sent ?? delivered,
    emit(json, answers) {
      const seq = log.append({
        data: json,
        answers,
        handed: delivered,
        reader: attachment,
        onDropped: overflowed,
      });
      recorded = Math.max(recorded, delivered);
      pump({ seq, data: json });
      if (attachment === undefined) return pause(json.length);
      if (attachment.sent === log.last()) return Promise.resolve();
      return new Promise((resolve) => paced.push(resolve));
    },
    attach(outlet, { after, opening, retryMs, expiresAt: until, notesPlace = false }) {
      const redialled = opening === "none";
      const held = attachment;
      if (
        redialled &&
        held !== undefined &&
        !held.redialled &&
        !outlet.connectionId.startsWith(held.outlet.connectionId)
      ) {
        // After a reset: the client has come back, before the edge that held its last connection has.
        // A link that is dialled again is named after its connection: that one may take its own place.
        return outlet.end("replaced");
      }
      if (held !== undefined) left(held, 0);
      end("replaced");
      expiresAt = until;
      // Stored: the next time the client may come without an event id, to another isolate.
      handed(after);
      const joined: Attachment = {
        outlet,
        redialled,
        notesPlace,
        from: after,
        timer: undefined,
        sent: after,
        acked: after,
        underway: [],
        outstanding: 0,
      };
      attachment = joined;
      latest = { connectionId: outlet.connectionId, from: after };
      // Before the priming event, whose id is the place behind the gap: no later event would tell of it.
      const gap = after < log.last() && log.trimmed() === log.last() ? skip(joined) : "";
      const first = eventId(joined.sent);
      let text = controlFrame({ type: "at", value: first }) + gap;
      if (opening === "prime") text += primingFrame(first, retryMs);
      else if (opening === "plain") text += commentFrame("open");
      outlet.send(text, joined.sent);
      const delay = joined.sent < log.last() ? patience.delay() : 0;
      if (delay === 0) return pump();
      joined.timer = setTimeout(() => {
        joined.timer = undefined;
        pump();
      }, delay);
    },
    restore(outlet, place, known) {
      delivered = Math.max(delivered, Math.min(known, log.last()));
      attachment = {
        outlet,
        redialled: true,
        notesPlace: outlet.notesPlace === true,
        from: place,
        timer: undefined,
        sent: place,
        acked: known,
        underway: [],
        outstanding: 0,
      };
      pump();
    },
    ack(connectionId, seq) {
      // Beyond what was sent nothing can have been taken.
      if (attachment?.outlet.connectionId !== connectionId || !(seq <= attachment.sent)) return;
      const { underway } = attachment;
      attachment.acked = Math.min(seq, attachment.sent);
      if (attachment.notesPlace) handed(attachment.acked);
      else delivered = Math.max(delivered, attachment.acked);
      while (underway[0] !== undefined && underway[0][0] <= seq) {
        attachment.outstanding -= underway.shift()?.[1] ?? 0;
      }
      pump();
    },
    reached(connectionId, seq) {
      if (connectionId !== latest?.connectionId || seq < latest.from) return;
      delivered = Math.min(seq, log.last());
      if (attachment !== undefined) attachment.acked = delivered;
    },
    leave(connectionId, seq) {
      const held = attachment;
      let known = log.last();
      if (held?.outlet.connectionId === connectionId) {
        left(held, seq ?? held.acked);
        known = held.sent;
        drop();
      }
      // Beyond what was sent nothing can have been taken.
      if (seq !== undefined && seq <= known) handed(seq);
    },
    end,
    shed(seq) {
      const dropped = seq - Math.max(log.trimmed(), attachment?.sent ?? delivered);
      log.trim(seq);
      if (dropped > 0) overflowed(dropped);
    },
    neededAfter: () => attachment?.acked,
    tell: (frame) => attachment?.outlet.send(frame, attachment.sent),
    aside(json) {
      if (attachment?.sent === log.last()) attachment.outlet.send(asideFrame(json), attachment.sent);
    },
    probe() {
      if (attachment === undefined) return;
      const { outlet, sent } = attachment;
      outlet.send(controlFrame({ type: "at", value: eventId(sent) }), sent);
    },
    finish() {
      complete = true;
      pump();
    },
  };
}
