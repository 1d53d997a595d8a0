/**
 * What an event's id says of the order: `<stream>.<sequence>`, the sequence in base 36 from 1, is how Holdfast
 * numbers events. Of ids in any other form nothing is concluded.
 * @module
 */

/** A server that invents stream after stream is not followed for ever. */
const MAX_STREAMS = 100;

/** Follows the ids of one stream. */
export interface Order {
  /** How many events before this one never came, and whether it has come before. */
  next(eventId: string | undefined): { readonly lost: number; readonly doubled: boolean };
}

/** An order that has seen nothing yet. */
export function createOrder(): Order {
  /** The highest sequence of each stream: a connection may carry one after another. */
  const highest = new Map<string, number>();
  return {
    next(eventId) {
      const [, stream, digits] = /^(.{1,200})\.([0-9a-z]{1,10})$/.exec(eventId ?? "") ?? [];
      if (stream === undefined || digits === undefined) return { lost: 0, doubled: false };
      const sequence = parseInt(digits, 36);
      const before = highest.get(stream);
      if (highest.size > MAX_STREAMS) highest.clear();
      if (before !== undefined && sequence <= before) return { lost: 0, doubled: true };
      highest.set(stream, sequence);
      return { lost: before === undefined ? 0 : sequence - before - 1, doubled: false };
    },
  };
}
