/**
 * The log of one stream: what was sent or waits to be sent, bounded by number and size. The oldest
 * goes first; what went before any client had it is counted, so that a gap is said and never hidden.
 * @module
 */
import type { LogExtent, StoredEvent } from "./schema.ts";
import type { SessionStore } from "./store.ts";

export interface EventLog {
  /** Sequence number of the last event, 0 before the first. */
  last(): number;
  /** Events up to this one are no longer held. */
  trimmed(): number;
  /**
   * Stores an event and returns its number. `needed` is the lowest number that some client still has
   * to get: if bounds force an event at or above it out, `onDropped` hears how many.
   */
  append(data: string, answers: string | null, needed: number, onDropped: (count: number) => void): number;
  /** Events after `seq`, about `size` characters of them, at least one if there is one. */
  after(seq: number, size: number): StoredEvent[];
  /** Forgets events up to `seq`. */
  trim(seq: number): void;
}

export interface LogLimits {
  readonly maxEvents: number;
  readonly maxStoredBytes: number;
}

/**
 * Opens the log of `stream`.
 * @param trimmed what the stream's row remembers of earlier trimming
 * @param onTrimmed records the new mark, within the same transaction as the deletion
 * @param extent what the log holds, where the caller knows (a new stream holds nothing)
 */
export function openLog(
  store: SessionStore,
  stream: number,
  trimmed: number,
  limits: LogLimits,
  now: () => number,
  onTrimmed: (seq: number) => void,
  extent: LogExtent = store.extent(stream),
): EventLog {
  let last = Math.max(extent.last, trimmed);
  let first = extent.first === 0 ? last + 1 : extent.first;
  let { bytes } = extent;

  const forget = (seq: number): void => {
    bytes -= store.deleteThrough(stream, seq);
    trimmed = seq;
    first = seq + 1;
    onTrimmed(seq);
  };

  // Bounds are exceeded by up to a tenth before the log is cut back to them, so that one deletion
  // serves many appends, and a client that was away finds at least as much as the bounds promise.
  const isLong = (): boolean => last + 2 - first > limits.maxEvents * 1.1;
  const isLarge = (size: number): boolean => bytes + size > limits.maxStoredBytes * 1.1;

  /** The event up to which the log must be cut so that it holds its bounds with `size` characters more. */
  const cutFor = (size: number): number => {
    let cut = last + 1 - limits.maxEvents;
    if (!isLarge(size)) return cut;
    const sizes = store.sizes(stream);
    let kept = size;
    for (let i = sizes.length - 1; i >= 0; i--) {
      const event = sizes[i];
      if (event === undefined || event.seq <= cut) break;
      if (kept + event.bytes > limits.maxStoredBytes) cut = event.seq;
      else kept += event.bytes;
    }
    return cut;
  };

  const add = (data: string, answers: string | null): void => {
    store.append(stream, last + 1, data, answers, now());
    last += 1;
    bytes += data.length;
  };

  return {
    last: () => last,
    trimmed: () => trimmed,
    append(data, answers, needed, onDropped) {
      const cut = isLong() || isLarge(data.length) ? cutFor(data.length) : 0;
      if (cut < first) add(data, answers);
      else {
        const dropped = cut - Math.max(first, needed) + 1;
        store.transaction(() => {
          forget(cut);
          add(data, answers);
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
