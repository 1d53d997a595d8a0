/**
 * One stream of a session: a log, and at most one connection that is being fed from it.
 *
 * Sending live, catching up after a resume and waiting for a slow reader are one mechanism: the
 * connection has a place in the log (`attachment.ts`), and `pump` moves it forward while its window has room.
 * @module
 */
import type { DisconnectReason } from "../../events.ts";
import { formatEventId } from "../../sse/event-id.ts";
import { asideFrame, commentFrame, primingFrame } from "../../sse/frames.ts";
import type { StoredEvent } from "../store/schema.ts";
import { Attachment, type Fed, type Joining } from "./attachment.ts";
import type { EventLog } from "./log.ts";
import type { Outlet } from "./outlet.ts";
import { Pace } from "./pace.ts";
import { Patience } from "./patience.ts";

/** What a stream reports to those who keep the session's. */
export interface StreamHooks {
  /** A connection met a gap in the log. */
  onGap(missed: number): void;
  /** Bounds forced events out that no client had. */
  onOverflow(dropped: number): void;
  /** Hears of connections as they come and go; undefined where nobody would hear of it. */
  readonly links?: LinkHooks | undefined;
  /** A connection left or came back, and its client was handed everything up to `seq`. */
  onDelivered(seq: number): void;
}

/** What is told of a stream's connections. */
export interface LinkHooks {
  onAttached(connectionId: string, redialled: boolean): void;
  onDetached(connectionId: string, reason: DisconnectReason | undefined): void;
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
  return new Stream(options);
}

/** A log, and at most one connection that is fed from it. */
export class Stream implements Fed {
  readonly id: number;
  readonly log: EventLog;
  readonly #prefix: string;
  readonly hooks: StreamHooks;
  readonly #patience = new Patience();
  readonly #pace = new Pace();
  #delivered: number;
  /** What the storage knows of `delivered`: it goes along with each event, and is written by itself as connections come and go. */
  #recorded: number;
  #complete: boolean;
  #attachment: Attachment | undefined;
  /** The connection that came last: where it joined, and the end of its client's token. */
  #latest: { readonly connectionId: string; readonly from: number } | undefined;
  #expiresAt: number | undefined;

  constructor({ id, log, prefix, delivered, complete, hooks }: StreamOptions) {
    this.id = id;
    this.log = log;
    this.#prefix = prefix;
    this.hooks = hooks;
    this.#delivered = delivered;
    this.#recorded = delivered;
    this.#complete = complete;
  }

  /** True once every request it answers is answered: nothing more will come. */
  isComplete(): boolean {
    return this.#complete;
  }

  /** The end of the connection that is there. */
  outlet(): Outlet | undefined {
    return this.#attachment?.outlet;
  }

  /**
   * When the last connection ended with its client's token, where no client has come for the rest since; undefined
   * where that is not so, or nothing is left.
   */
  forsakenAt(now: number): number | undefined {
    const expiresAt = this.#expiresAt;
    if (expiresAt === undefined || expiresAt > now) return undefined;
    // An edge that only a write finds gone may still seem to be there.
    const known = this.#attachment?.acked ?? this.#delivered;
    return this.#complete && known >= this.log.last() ? undefined : expiresAt;
  }

  /** The last event that was passed on to its client, as far as is known. */
  handed(): number {
    return Math.max(this.#attachment?.acked ?? 0, this.#delivered);
  }

  /** Where a client goes on that comes without an event id: after what was handed on, as far as is known. */
  resumePoint(): number {
    return this.#attachment?.sent ?? this.#delivered;
  }

  /**
   * Stores a message, then passes it on. Resolves once the reader's pace allows more; without a reader, every now
   * and then in a later turn of the event loop.
   */
  emit(json: string, answers: string | null): Promise<void> {
    const { log } = this;
    const seq = log.append({
      data: json,
      answers,
      handed: this.#settled(),
      reader: this.#attachment,
      onDropped: (dropped) => this.#overflowed(dropped),
    });
    this.#recorded = Math.max(this.#recorded, this.#delivered);
    this.#pump({ seq, data: json });
    if (this.#attachment === undefined) return this.#pace.unread(json.length);
    return this.#attachment.sent === log.last() ? Promise.resolve() : this.#pace.forReader();
  }

  /** Attaches a connection; one that was there ends, having kept what it was handed. */
  attach(outlet: Outlet, { after, opening, retryMs, expiresAt, notesPlace = false }: Joining): void {
    const { log } = this;
    const redialled = opening === "none";
    const held = this.#attachment;
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
    if (held !== undefined) this.#left(held, 0);
    this.end("replaced");
    this.#expiresAt = expiresAt;
    // Stored: the next time the client may come without an event id, to another isolate.
    this.#handed(after);
    const joined = new Attachment(this, { outlet, redialled, notesPlace, place: after, acked: after });
    this.#attachment = joined;
    this.hooks.links?.onAttached(outlet.connectionId, redialled);
    this.#latest = { connectionId: outlet.connectionId, from: after };
    // Before the priming event, whose id is the place behind the gap: no later event would tell of it.
    const gap = after < log.last() && log.trimmed() === log.last() ? joined.skip(log.last()) : "";
    let text = joined.place() + gap;
    if (opening === "prime") text += primingFrame(this.eventId(joined.sent), retryMs);
    else if (opening === "plain") text += commentFrame("open");
    joined.tell(text);
    const delay = joined.sent < log.last() ? this.#patience.delay() : 0;
    if (delay === 0) return this.#pump();
    joined.timer = setTimeout(() => {
      joined.timer = undefined;
      this.#pump();
    }, delay);
  }

  /**
   * Takes up a connection that outlived the isolate (a hibernated WebSocket), at its place; its client is known
   * to have been handed everything up to `handed`.
   */
  restore(outlet: Outlet, place: number, handed: number): void {
    this.#delivered = Math.max(this.#delivered, Math.min(handed, this.log.last()));
    const notesPlace = outlet.notesPlace === true;
    this.#attachment = new Attachment(this, { outlet, redialled: true, notesPlace, place, acked: handed });
    this.#pump();
  }

  /** The edge has handed the client everything up to `seq`. */
  ack(connectionId: string, seq: number): void {
    const attachment = this.#attachment;
    // Beyond what was sent nothing can have been taken.
    if (attachment?.outlet.connectionId !== connectionId || !(seq <= attachment.sent)) return;
    attachment.ack(seq);
    if (attachment.notesPlace) this.#handed(attachment.acked);
    else this.#settled();
    this.#pump();
  }

  /**
   * The client of a POST's connection came as far as `seq`, whatever was acknowledged: what a body's reader has taken it
   * need not have written. May be said after the session has ended the connection. Not stored.
   */
  reached(connectionId: string, seq: number): void {
    if (connectionId !== this.#latest?.connectionId || seq < this.#latest.from) return;
    this.#delivered = Math.min(seq, this.log.last());
    if (this.#attachment !== undefined) this.#attachment.acked = this.#delivered;
  }

  /** The connection is over; `seq` is the last event its client was handed, where that is known. */
  leave(connectionId: string, seq?: number, reason?: DisconnectReason): void {
    const held = this.#attachment;
    let known = this.log.last();
    this.#settled();
    if (held?.outlet.connectionId === connectionId) {
      this.#left(held, seq ?? held.acked);
      known = held.sent;
      this.#drop(reason);
      // Its reader has gone, and it does not know: the object would be held by what nobody reads.
      if (held.outlet.isBlind) held.outlet.end("client");
    }
    // Beyond what was sent nothing can have been taken.
    if (seq !== undefined && seq <= known) this.#handed(seq);
  }

  /** Ends the connection, if there is one. */
  end(reason: DisconnectReason): void {
    this.#drop(reason)?.outlet.end(reason);
  }

  /** Lets events up to `seq` go for what the session has no room for; a connection that needed one of them ends. */
  shed(seq: number): void {
    const dropped = seq - Math.max(this.log.trimmed(), this.#attachment?.sent ?? this.#delivered);
    this.log.trim(seq);
    if (dropped > 0) this.#overflowed(dropped);
  }

  /** The connection that is there still needs what is after this event; undefined where none is. */
  neededAfter(): number | undefined {
    return this.#attachment?.acked;
  }

  /** A frame for the edge alone, if a connection is there. */
  tell(frame: string): void {
    this.#attachment?.tell(frame);
  }

  /** A message for the client that is kept nowhere: it is sent where a connection is there and has all before it. */
  aside(json: string): void {
    if (this.#attachment?.sent === this.log.last()) this.#attachment.tell(asideFrame(json));
  }

  /** Has the edge at the other end written to, so that one which is gone is noticed. It is told its place once more. */
  probe(): void {
    this.#attachment?.tell(this.#attachment.place());
  }

  /** Marks the stream complete; its connection ends as soon as it has everything. */
  finish(): void {
    this.#complete = true;
    this.#pump();
  }

  /** The id under which the client knows an event. */
  eventId(seq: number): string {
    return formatEventId(this.id, seq, this.#prefix);
  }

  #drop(reason: DisconnectReason | undefined): Attachment | undefined {
    const dropped = this.#attachment;
    this.#attachment = undefined;
    if (dropped?.timer !== undefined) clearTimeout(dropped.timer);
    if (dropped !== undefined) this.hooks.links?.onDetached(dropped.outlet.connectionId, reason);
    this.#pace.release();
    return dropped;
  }

  /** The client of this connection has gone, or has come by another. One that got nothing, since there was nothing, is not held to it. */
  #left({ from, sent, acked, timer }: Attachment, seq: number): void {
    if (timer === undefined && sent > from) this.#patience.left(Math.max(acked, seq) > from);
  }

  /** What the client that is there has for certain counts as delivered. */
  #settled(): number {
    const held = this.#attachment;
    if (held === undefined) return this.#delivered;
    const has = held.outlet.surely?.(held.acked) ?? held.acked;
    return (this.#delivered = Math.max(this.#delivered, has));
  }

  /** Notes that a client has everything up to `seq`, and has it stored. */
  #handed(seq: number): void {
    this.#delivered = Math.max(this.#delivered, Math.min(seq, this.log.last()));
    if (this.#delivered <= this.#recorded) return;
    this.#recorded = this.#delivered;
    this.hooks.onDelivered(this.#delivered);
  }

  #overflowed(dropped: number): void {
    this.hooks.onOverflow(dropped);
    this.end("overflow");
  }

  /** `fresh` is an event that was appended just now: the connection that is up to date need not read it back. */
  #pump(fresh?: StoredEvent): void {
    const to = this.#attachment;
    const { log } = this;
    if (to === undefined || to.timer !== undefined) return;
    if (fresh !== undefined && to.sent === fresh.seq - 1 && to.hasRoom()) to.pass([fresh]);
    // `send` may find the link broken and take the attachment away.
    while (this.#attachment === to && to.sent < log.last() && to.refill() > 0) {
      const events = log.after(to.sent, to.refill());
      if (events.length > 0) to.pass(events);
      else to.tell(to.skip(log.last()) + to.place());
    }
    if (this.#attachment !== to || to.sent < log.last()) return;
    this.#pace.release();
    if (this.#complete) this.end("done");
  }
}
