/**
 * One stream of a session: a log, and at most one connection that is being fed from it.
 *
 * Sending live, catching up after a resume and waiting for a slow reader are one mechanism: the
 * connection has a place in the log, and `pump` moves it forward while the window has room. The log
 * is the only queue, so memory stays bounded by the window whatever the reader does.
 * @module
 */
import type { DisconnectReason } from "../events.ts";
import { controlFrame } from "../sse/control.ts";
import { formatEventId } from "../sse/event-id.ts";
import { commentFrame, commentLine, messageFrame, primingFrame } from "../sse/frames.ts";
import type { EventLog } from "./log.ts";
import type { Outlet } from "./ports.ts";
import type { StoredEvent } from "./schema.ts";

/** Characters that may be under way to an edge before it has acknowledged any. */
const WINDOW = 262_144;
/** A connection that has fallen behind catches up once it has this much room: few long reads of the log, not many short ones. */
const REFILL = WINDOW / 2;

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
  readonly retryMs: number;
}

export interface StreamHooks {
  /** A connection met a gap in the log. */
  onGap(missed: number): void;
  /** Bounds forced events out that no client had. */
  onOverflow(dropped: number): void;
  /** A connection left or came back, and its client was handed everything up to `seq`. */
  onDelivered(seq: number): void;
}

export interface Stream {
  readonly id: number;
  readonly log: EventLog;
  /** True once every request it answers is answered: nothing more will come. */
  isComplete(): boolean;
  outlet(): Outlet | undefined;
  /** Where a client goes on that comes without an event id: after what was handed on, as far as is known. */
  resumePoint(): number;
  /** Stores a message, then passes it on. Resolves once the reader's pace allows more. */
  emit(json: string, answers: string | null): Promise<void>;
  /** Attaches a connection; one that was there ends, having kept what it was handed. */
  attach(outlet: Outlet, joining: Joining): void;
  /** Takes up a connection that outlived the isolate (a hibernated WebSocket), at its place. */
  restore(outlet: Outlet, place: number): void;
  /** The edge has handed the client everything up to `seq`. */
  ack(connectionId: string, seq: number): void;
  /** The connection is over; `seq` is the last event its client was handed, where that is known. */
  leave(connectionId: string, seq?: number): void;
  /** Ends the connection, if there is one. */
  end(reason: DisconnectReason): void;
  /** A frame for the edge alone, if a connection is there. */
  tell(frame: string): void;
  /** Marks the stream complete; its connection ends as soon as it has everything. */
  finish(): void;
}

interface Attachment {
  readonly outlet: Outlet;
  /** Brought by an edge that dialled again, not by a client. */
  readonly redialled: boolean;
  sent: number;
  /** What is under way: `[place, characters]`, oldest first. */
  readonly underway: [number, number][];
  outstanding: number;
}

/**
 * @param prefix in front of event ids, see `event-id.ts`
 * @param complete whether nothing more will come on it
 * @param delivered the last event that earlier connections are known to have handed to their clients
 */
export function createStream(
  id: number,
  log: EventLog,
  prefix: string,
  delivered: number,
  complete: boolean,
  hooks: StreamHooks,
): Stream {
  let attachment: Attachment | undefined;
  let paced: (() => void)[] = [];

  const eventId = (seq: number): string => formatEventId(id, seq, prefix);

  const release = (): void => {
    const waiting = paced;
    paced = [];
    for (const resume of waiting) resume();
  };

  const drop = (): Attachment | undefined => {
    const dropped = attachment;
    attachment = undefined;
    release();
    return dropped;
  };

  const end = (reason: DisconnectReason): void => drop()?.outlet.end(reason);

  /** Notes that a client has everything up to `seq`. */
  const handed = (seq: number): void => {
    if (seq <= delivered) return;
    delivered = seq;
    hooks.onDelivered(seq);
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
    if (to === undefined) return;
    if (fresh !== undefined && to.sent === fresh.seq - 1 && to.outstanding < WINDOW) pass(to, [fresh]);
    // `send` may find the link broken and take the attachment away.
    while (attachment === to && to.sent < log.last() && to.outstanding <= WINDOW - REFILL) {
      const events = log.after(to.sent, WINDOW - to.outstanding);
      if (events.length > 0) pass(to, events);
      else {
        hooks.onGap(log.last() - to.sent);
        to.sent = log.last();
      }
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
    resumePoint: () => attachment?.sent ?? delivered,
    emit(json, answers) {
      let dropped = 0;
      const needed = (attachment?.sent ?? delivered) + 1;
      const seq = log.append(json, answers, needed, (count) => (dropped = count));
      if (dropped > 0) {
        hooks.onOverflow(dropped);
        end("overflow");
      }
      pump({ seq, data: json });
      if (attachment === undefined || attachment.sent === log.last()) return Promise.resolve();
      return new Promise((resolve) => paced.push(resolve));
    },
    attach(outlet, { after, opening, retryMs }) {
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
      end("replaced");
      // Stored: the next time the client may come without an event id, to another isolate.
      handed(after);
      attachment = { outlet, redialled, sent: after, underway: [], outstanding: 0 };
      const first = eventId(after);
      let text = controlFrame({ type: "at", value: first });
      if (opening === "prime") text += primingFrame(first, retryMs);
      else if (opening === "plain") text += commentFrame("open");
      outlet.send(text, after);
      pump();
    },
    restore(outlet, place) {
      attachment = { outlet, redialled: true, sent: place, underway: [], outstanding: 0 };
      pump();
    },
    ack(connectionId, seq) {
      // Beyond what was sent nothing can have been taken.
      if (attachment?.outlet.connectionId !== connectionId || !(seq <= attachment.sent)) return;
      const { underway } = attachment;
      while (underway[0] !== undefined && underway[0][0] <= seq) {
        attachment.outstanding -= underway.shift()?.[1] ?? 0;
      }
      pump();
    },
    leave(connectionId, seq) {
      const known = attachment?.outlet.connectionId === connectionId ? drop()?.sent : log.last();
      if (seq !== undefined && seq <= (known ?? 0)) handed(seq);
    },
    end,
    tell: (frame) => attachment?.outlet.send(frame, attachment.sent),
    finish() {
      complete = true;
      pump();
    },
  };
}
