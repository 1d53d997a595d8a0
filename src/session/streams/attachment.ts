/**
 * A connection as it is fed from a stream's log: its place there, and what is under way to its edge. The log is the
 * only queue, so memory stays bounded by the window whatever the reader does.
 * @module
 */
import { controlFrame } from "../../sse/control.ts";
import { commentFrame, commentLine, messageFrame } from "../../sse/frames.ts";
import type { StoredEvent } from "../store/schema.ts";
import type { Outlet } from "./outlet.ts";

/** Characters that may be under way to an edge before it has acknowledged any. */
export const WINDOW = 262_144;
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
  /** Undefined for a client that is to have no `retry:`. */
  readonly retryMs: number | undefined;
  /** Its client comes back without an event id: what it was handed is noted as it is acknowledged, one row each time. */
  readonly notesPlace?: boolean;
  /** When its client's token runs out, and the edge ends it; undefined where that is not known. */
  readonly expiresAt: number | undefined;
}

/** The stream, as its connection needs it. */
export interface Fed {
  /** The id under which the client knows an event. */
  eventId(seq: number): string;
  readonly hooks: {
    /** A connection met a gap in the log. */
    onGap(missed: number): void;
  };
}

/** How a connection begins. */
export interface Begun {
  readonly outlet: Outlet;
  /** Brought by an edge that dialled again, not by a client. */
  readonly redialled: boolean;
  readonly notesPlace: boolean;
  /** The last event that it has been sent. */
  readonly place: number;
  /** The last that its client is known to have been handed. */
  readonly acked: number;
}

/** One connection. */
export class Attachment {
  readonly outlet: Outlet;
  readonly redialled: boolean;
  readonly notesPlace: boolean;
  /** Where it joined. */
  readonly from: number;
  /** Set while it waits for its first look into the log (`patience.ts`). */
  timer: ReturnType<typeof setTimeout> | undefined;
  /** The last event that it was sent. */
  sent: number;
  /** What its edge has handed to the client. */
  acked: number;
  readonly #fed: Fed;
  /** What is under way: `[place, characters]`, oldest first. */
  readonly #underway: [number, number][] = [];
  #outstanding = 0;

  constructor(fed: Fed, { outlet, redialled, notesPlace, place, acked }: Begun) {
    this.#fed = fed;
    this.outlet = outlet;
    this.redialled = redialled;
    this.notesPlace = notesPlace;
    this.from = place;
    this.sent = place;
    this.acked = acked;
  }

  /** True where one more event may go out. */
  hasRoom(): boolean {
    return this.#outstanding < WINDOW;
  }

  /** How much may be read from the log for it; 0 until that is worth the reading. */
  refill(): number {
    return this.#outstanding <= WINDOW - REFILL ? WINDOW - this.#outstanding : 0;
  }

  /** Sends events, which follow on where it is, with a word on any gap between them. */
  pass(events: readonly StoredEvent[]): void {
    let text = "";
    for (const event of events) {
      const start = text.length;
      const missed = event.seq - this.sent - 1;
      if (missed > 0) {
        this.#fed.hooks.onGap(missed);
        text += commentLine(`gap: ${missed} events before this one are no longer held`);
      }
      this.sent = event.seq;
      text += messageFrame(this.#fed.eventId(event.seq), event.data);
      // Each by itself: the edge may acknowledge in the middle of what goes out at once, and then no more.
      this.#underway.push([event.seq, text.length - start]);
    }
    this.#outstanding += text.length;
    this.outlet.send(text, this.sent);
  }

  /** Moves it past events that are all gone, up to `last`; returns what tells its client. */
  skip(last: number): string {
    const missed = last - this.sent;
    this.sent = last;
    this.#fed.hooks.onGap(missed);
    return commentFrame(`gap: ${missed} events before this place are no longer held`);
  }

  /** Sends frames that are no events. */
  tell(frames: string): void {
    this.outlet.send(frames, this.sent);
  }

  /** What tells the edge where it is. */
  place(): string {
    return controlFrame({ type: "at", value: this.#fed.eventId(this.sent) });
  }

  /** The edge has handed its client everything up to `seq`. */
  ack(seq: number): void {
    const underway = this.#underway;
    this.acked = Math.min(seq, this.sent);
    while (underway[0] !== undefined && underway[0][0] <= seq) {
      this.#outstanding -= underway.shift()?.[1] ?? 0;
    }
  }
}
