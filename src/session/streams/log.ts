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
  const { store, stream, limits, quota, now, extent } = options;
  let { trimmed } = options;
  let last = Math.max(extent.last, trimmed);
  let first = extent.first === 0 ? last + 1 : extent.first;
  let { bytes } = extent;

  const forget = (seq: number): void => {
    const deleted = store.deleteThrough(stream, seq);
    bytes -= deleted.bytes;
    quota.count(first - seq - 1, -deleted.bytes);
    trimmed = seq;
    first = seq + 1;
    options.onTrimmed(seq, deleted.answered);
  };

  // Bounds are exceeded by up to a tenth before the log is cut back to them, so that one deletion
  // serves many appends, and a client that was away finds at least as much as the bounds promise.
  const isLong = (): boolean => last + 2 - first > limits.maxEvents * 1.1;
  const isLarge = (size: number): boolean => bytes + size > limits.maxStoredBytes * 1.1;

  /**
   * The event up to which the log must be cut so that it holds its bounds with `size` characters more. `spare` is
   * the last that no connection needs. What one does need has a tenth more of room: a client that comes back to a
   * full log would lose its place to the next message, and again each time it resumes, while a sender that waits
   * for its reader sends but one before it does.
   */
  const cutFor = (size: number, spare: number): number => {
    let cut = Math.min(last + 1 - limits.maxEvents, spare);
    if (!isLarge(size)) return cut;
    const isTight = bytes + size > limits.maxStoredBytes * 1.2;
    if (!isTight && spare < first) return cut;
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
  };

  const add = (data: string, answers: string | null, handed: number): void => {
    store.append({ stream, seq: last + 1, data, answers, handed, now: now() });
    last += 1;
    bytes += data.length;
    quota.count(1, data.length);
  };

  return {
    last: () => last,
    trimmed: () => trimmed,
    append({ data, answers, handed, reader, onDropped }) {
      quota.room(data.length);
      const spare = reader === undefined ? last : reader.acked;
      const cut = isLong() || isLarge(data.length) ? cutFor(data.length, spare) : 0;
      if (cut < first) add(data, answers, handed);
      else {
        const dropped = cut - Math.max(first - 1, reader?.sent ?? handed);
        store.transaction(() => {
          forget(cut);
          add(data, answers, handed);
        });
        if (dropped > 0) onDropped(dropped);
      }
      return last;
    },
    after: (seq, size) => (seq >= last ? [] : store.eventsAfter(stream, seq, size)),
    trim(seq) {
      if (seq < first) return;
      store.transaction(() => forget(Math.min(seq, last)));
    },
  };
}
