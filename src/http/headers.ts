/** Header names and media types that the transport reads or writes. @module */

export const SESSION_ID = "Mcp-Session-Id";
export const PROTOCOL_VERSION = "MCP-Protocol-Version";
export const LAST_EVENT_ID = "Last-Event-ID";

export const JSON_TYPE = "application/json";
export const SSE_TYPE = "text/event-stream";

/**
 * Headers of every event stream. `no-transform` and `X-Accel-Buffering` keep compressing middleware
 * and buffering proxies away; `Connection` is never set, HTTP/2 forbids it.
 */
export const SSE_HEADERS: Readonly<Record<string, string>> = {
  "Content-Type": SSE_TYPE,
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
};
