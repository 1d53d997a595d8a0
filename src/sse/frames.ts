/**
 * Server-sent event frames as text. One frame ends with one empty line; nothing else in it is empty,
 * so frames can be told apart without parsing them.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 * @module
 */

/** The fields of one event. */
export interface SseEvent {
  /** Event id; no CR, LF or NUL. */
  id?: string;
  /** Event type; no CR or LF. Parsers take an absent one for `message`. */
  event?: string;
  /** Payload; every line of it becomes a `data:` line. */
  data?: string;
  /** Reconnection time in milliseconds. */
  retry?: number;
}

/**
 * One frame: `id`, `event`, `data`, `retry`, in that order, each where present.
 * @param eol line ending, LF by default; CRLF for readers that insist on it
 * @throws {TypeError} where `id` or `event` could break out of its line
 */
export function frame(event: SseEvent, eol: "\n" | "\r\n" = "\n"): string {
  let text = "";
  if (event.id !== undefined) text += `id: ${singleLine("id", event.id)}${eol}`;
  if (event.event !== undefined) text += `event: ${singleLine("event", event.event)}${eol}`;
  if (event.data !== undefined) {
    for (const line of event.data.split(/\r\n|\r|\n/)) text += `data: ${line}${eol}`;
  }
  if (event.retry !== undefined) text += `retry: ${event.retry}${eol}`;
  return text + eol;
}

/** A JSON-RPC message without an event id: nobody resumes this stream, or does so from the event before it. */
export function asideFrame(json: string): string {
  return `event: message\ndata: ${json}\n\n`;
}

/**
 * The hot path of {@link frame}: a JSON-RPC message as `JSON.stringify` wrote it, which has no raw
 * line break, under an id we minted. Splitting lines here would cost half of building the frame.
 */
export function messageFrame(id: string, json: string): string {
  return `id: ${id}\n${asideFrame(json)}`;
}

/** The event that gives a client an id to resume from before anything was said (2025-11-25); without `retry:` for undefined. */
export function primingFrame(id: string, retry: number | undefined): string {
  const hint = retry === undefined ? "" : `retry: ${retry}\n`;
  return `id: ${id}\n${hint}data: \n\n`;
}

/**
 * A comment as a line of its own, which stands in front of whatever comes next: bytes for proxies and idle
 * timers, invisible to the client's code. It has no empty line, because httpx-sse (Python) makes an empty
 * message of one that follows an event with an id.
 */
export function commentLine(text: string): string {
  return `: ${singleLine("comment", text)}\n`;
}

/** A comment as a whole frame, for where frames are told apart by their empty lines. */
export function commentFrame(text: string): string {
  return `${commentLine(text)}\n`;
}

/**
 * The text, which stays within its line.
 * @throws {TypeError} naming the field, for CR, LF or NUL
 */
export function singleLine(field: string, value: string): string {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 10 || code === 13 || code === 0) throw new TypeError(`SSE ${field} must be a single line`);
  }
  return value;
}
