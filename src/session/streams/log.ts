/**
 * The log of one stream: what was sent or waits to be sent, bounded by number and size. The oldest
 * goes first; what went before any client had it is counted, so that a gap is said and never hidden.
 * @module
 */
import type { RequestId } from "../../jsonrpc/messages.ts";
import type { Quota } from "./quota.ts";
import type { LogExtent, StoredEvent } from "../store/schema.ts";
import type { SessionStore } from "../store/store.ts";

/** One stream's log. */
export interface EventLog {
  /** Sequence number of the last event, 0 before the first. */
  last(): number;
  /** Events up to this one are no longer held. */
  trimmed(): number;
  /**
   * Stores an event and returns its number. Where bounds force out what some client still has to get, `onDropped`
   * hears how many. Their number forces out nothing that a connection still needs, which may be behind by no more
   * than one turn of the event loop; their size does.
   */
  append(event: Appended): number;
  /** Events after `seq`, about `size` characters of them, at least one if there is one. */
  after(seq: number, size: number): StoredEvent[];
  /** Forgets events up to `seq`. */
  trim(seq: number): void;
}

/** An event on its way into the log. */
export interface Appended {
  /** The message. */
  readonly data: string;
  /** The id of the request that it answers, as JSON; null for any other message. */
  readonly answers: string | null;
  /** The last event that the stream's client has been handed; it is stored with this one. */
  readonly handed: number;
  /** How far the connection is, where one is there. */
  readonly reader: Reader | undefined;
  readonly onDropped: (count: number) => void;
}

/** A connection: the last event that it was sent, and the last that its client has been handed. */
export interface Reader {
  readonly sent: number;
  readonly acked: number;
}

/** Bounds of one log, exceeded by a tenth before it is cut. */
export interface LogLimits {
  readonly maxEvents: number;
  readonly maxStoredBytes: number;
}

/** Which log, and what it may hold. */
export interface LogOptions {
  readonly store: SessionStore;
  readonly stream: number;
  /** What the stream's row remembers of earlier trimming. */
  readonly trimmed: number;
  readonly extent: LogExtent;
  readonly limits: LogLimits;
  /** The session's: asked before each event. */
  readonly quota: Quota;
  readonly now: () => number;
  /** Records the new mark, within the transaction of the deletion; `answered` are the requests whose answers went. */
  readonly onTrimmed: (seq: number, answered: readonly RequestId[]) => void;
}

/** The log as it is stored; nothing is read that `extent` does not say. */
export function openLog(options: LogOptions): EventLog {
  return new StoredLog(options);
}

class StoredLog implements EventLog {
  readonly #options: LogOptions;
  #trimmed: number;
  #last: number;
  #first: number;
  #bytes: number;

  constructor(options: LogOptions) {
    const { extent, trimmed } = options;
    this.#options = options;
    this.#trimmed = trimmed;
    this.#last = Math.max(extent.last, trimmed);
    this.#first = extent.first === 0 ? this.#last + 1 : extent.first;
    this.#bytes = extent.bytes;
  }

  last(): number {
    return this.#last;
  }

  trimmed(): number {
    return this.#trimmed;
  }

  append(event: Appended): number {
    const { data, handed, reader } = event;
    this.#options.quota.room(data.length);
    const spare = reader === undefined ? this.#last : reader.acked;
    const isFull = this.#isLong() || this.#isLarge(data.length);
    const cut = isFull ? this.#cutFor(data.length, spare) : 0;
    if (cut < this.#first) this.#add(event);
    else {
      const dropped = cut - Math.max(this.#first - 1, reader?.sent ?? handed);
      this.#cut(cut, event);
      if (dropped > 0) event.onDropped(dropped);
    }
    return this.#last;
  }

  after(seq: number, size: number): StoredEvent[] {
    const { store, stream } = this.#options;
    return seq >= this.#last ? [] : store.eventsAfter(stream, seq, size);
  }

  trim(seq: number): void {
    if (seq < this.#first) return;
    this.#cut(Math.min(seq, this.#last));
  }

  /** Forgets events up to `cut`, for the one that comes in their place. */
  #cut(cut: number, event?: Appended): void {
    this.#options.store.transaction(() => {
      this.#forget(cut);
      if (event !== undefined) this.#add(event);
    });
  }

  #forget(seq: number): void {
    const { store, stream, quota, onTrimmed } = this.#options;
    const deleted = store.deleteThrough(stream, seq);
    this.#bytes -= deleted.bytes;
    quota.count(this.#first - seq - 1, -deleted.bytes);
    this.#trimmed = seq;
    this.#first = seq + 1;
    onTrimmed(seq, deleted.answered);
  }

  // Bounds are exceeded by up to a tenth before the log is cut back to them, so that one deletion
  // serves many appends, and a client that was away finds at least as much as the bounds promise.

  #isLong(): boolean {
    return this.#last + 2 - this.#first > this.#options.limits.maxEvents * 1.1;
  }

  #isLarge(size: number): boolean {
    return this.#bytes + size > this.#options.limits.maxStoredBytes * 1.1;
  }

  /**
   * The event up to which the log must be cut so that it holds its bounds with `size` characters more. `spare` is
   * the last that no connection needs. What one does need has a tenth more of room: a client that comes back to a
   * full log would lose its place to the next message, and again each time it resumes, while a sender that waits
   * for its reader sends but one before it does.
   */
  #cutFor(size: number, spare: number): number {
    const { store, stream, limits } = this.#options;
    let cut = Math.min(this.#last + 1 - limits.maxEvents, spare);
    if (!this.#isLarge(size)) return cut;
    const isTight = this.#bytes + size > limits.maxStoredBytes * 1.2;
    if (!isTight && spare < this.#first) return cut;
    const sizes = store.sizes(stream);
    let kept = size;
    for (let i = sizes.length - 1; i >= 0; i--) {
      const event = sizes[i];
      if (event === undefined || event.seq <= cut) break;
      const isSafe = event.seq > spare && !isTight;
      if (!isSafe && kept + event.bytes > limits.maxStoredBytes) cut = event.seq;
      else kept += event.bytes;
    }
    return cut;
  }

  #add({ data, answers, handed }: Appended): void {
    const { store, stream, quota, now } = this.#options;
    store.append({ stream, seq: this.#last + 1, data, answers, handed, now: now() });
    this.#last += 1;
    this.#bytes += data.length;
    quota.count(1, data.length);
  }
}
