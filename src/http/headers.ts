/** Header names and media types that the transport reads or writes. Lower case is looked up fastest. @module */

/** Header of a session's id (2025-11-25, "Session Management"). */
export const SESSION_ID = "mcp-session-id";
/** Header of the protocol's version (2025-06-18, "Protocol Version Header"). */
export const PROTOCOL_VERSION = "mcp-protocol-version";
/** Header of a resume (HTML standard, "Server-sent events"). */
export const LAST_EVENT_ID = "last-event-id";

/** Media type of a single message. */
export const JSON_TYPE = "application/json";
/** Media type of an event stream. */
export const SSE_TYPE = "text/event-stream";

/**
 * Of every answer that caches may keep though it does not say so: to GET and to its like, 200, 404 and 405 among them
 * (RFC 9110, 15.1). A cache in front goes by the URL: what a stranger is told at it, all would be told.
 */
export const UNKEPT: Readonly<Record<string, string>> = { "Cache-Control": "no-store" };

/**
 * Headers of every event stream. `no-transform` and `X-Accel-Buffering` keep compressing middleware
 * and buffering proxies away; `Connection` is never set, HTTP/2 forbids it. `no-store`: else Chromium writes a stream
 * into its cache, and while it is busy with that sends a DELETE of the same URL twice, the second of which gets 404.
 */
export const SSE_HEADERS: Readonly<Record<string, string>> = {
  "Content-Type": SSE_TYPE,
  "Cache-Control": "no-cache, no-store, no-transform",
  "X-Accel-Buffering": "no",
};

/**
 * All headers by their names in lower case. By `forEach`, since each step of an iterator crosses into the runtime anew: on
 * workerd that took 5 µs of a call, and this takes 3.
 */
export function recordOf(headers: Headers): Record<string, string> {
  const record: Record<string, string> = {};
  headers.forEach((value, name) => (record[name] = value));
  return record;
}

/**
 * A header's value where it may be given once. Some proxies send it twice: as long as both say the same, it counts
 * once; where they differ it is left as it came, for whoever judges it.
 */
export function single(value: string | null): string | null {
  if (value === null || !value.includes(",")) return value;
  const [first = "", ...more] = value.split(",").map((part) => part.trim());
  return more.every((part) => part === first) ? first : value;
}
