/**
 * Event ids: `<stream>.<sequence>`, both in base 36. A stream's number is random, so an id names one
 * stream of one session and means nothing in any other; the sequence orders the events of that
 * stream from 1 (0 is the priming event, before all of them). No clock is involved.
 *
 * HTTP+SSE has no session header, so there the session's id goes in front: `<session>.<stream>.<sequence>`.
 * @module
 */

/** A place in a stream: everything up to and including `seq` has been seen. */
export interface Cursor {
  readonly stream: number;
  readonly seq: number;
}

const SHAPE = /^(?:([A-Za-z0-9_-]{1,128})\.)?([0-9a-z]{1,10})\.([0-9a-z]{1,10})$/;

/** Writes an event id. `prefix` is the session id with a trailing dot on HTTP+SSE, empty elsewhere. */
export function formatEventId(stream: number, seq: number, prefix: string = ""): string {
  return `${prefix}${stream.toString(36)}.${seq.toString(36)}`;
}

/**
 * Stands behind an event id with which a connection was ended for its client to come back at once (`http/quirks.ts`): what it
 * comes back with shows that it has. Only the edge knows it.
 */
const RETURNS = "~";

/** The event id, marked. */
export const returning = (id: string): string => `${id}${RETURNS}`;

/** An event id as it was before {@link returning}, and whether it was marked. */
export function unmarked(id: string): { readonly id: string; readonly isReturning: boolean } {
  return id.endsWith(RETURNS)
    ? { id: id.slice(0, -RETURNS.length), isReturning: true }
    : { id, isReturning: false };
}

/** Reads an event id; undefined where the text is not one of ours. */
export function parseEventId(text: string): (Cursor & { session: string | undefined }) | undefined {
  const match = SHAPE.exec(text);
  if (match === null) return undefined;
  const stream = parseInt(match[2] ?? "", 36);
  const seq = parseInt(match[3] ?? "", 36);
  if (!Number.isSafeInteger(stream) || !Number.isSafeInteger(seq)) return undefined;
  return { session: match[1], stream, seq };
}

/** A fresh stream number: 48 random bits, never 0. */
export function randomStreamId(): number {
  const words = crypto.getRandomValues(new Uint32Array(2));
  const id = ((words[0] ?? 0) & 0xffff) * 0x1_0000_0000 + (words[1] ?? 0);
  return id === 0 ? randomStreamId() : id;
}
