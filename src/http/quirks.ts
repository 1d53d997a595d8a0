/**
 * What clients in the wild get wrong, and what is done for those that can be told by their headers: all of it is
 * in this table. What harms nobody is done for everybody, where it belongs: `retry:` never stands alone in a frame
 * (go-sdk#768), a refusal has the request's id (rmcp waits for it for ever), equal doubled headers count once.
 * @module
 */
import { isObject, type JsonRpcMessage } from "../jsonrpc/messages.ts";
import { comesBack, UNNAMED_VERSION } from "../jsonrpc/versions.ts";
import { PROTOCOL_VERSION, single } from "./headers.ts";

/** Whether this request's client is one of those that a row of the table is about. */
type Matches = (headers: Headers) => boolean;

/** The default of the JDK's HTTP client, on which Java's SDK stands. Nothing tells the SDK's version. */
const isJava = (headers: Headers): boolean =>
  headers.get("user-agent")?.startsWith("Java-http-client/") ?? false;

/** It says so at the end of whatever else is there. */
const isAiSdk = (headers: Headers): boolean => /(^| )ai-sdk\/\d/.test(headers.get("user-agent") ?? "");

/** The default of Go's HTTP client: the official SDK, mcp-go, and others. */
const isGo = (headers: Headers): boolean => headers.get("user-agent")?.startsWith("Go-http-client/") ?? false;

/** `httpx`, and `httpx2` with SDK 2.x. */
const isHttpx = (headers: Headers): boolean => /^python-httpx2?\//.test(headers.get("user-agent") ?? "");

/** Clients of 2025-03-26 do not send the header. */
const isBeforePolling = (headers: Headers): boolean =>
  !comesBack(single(headers.get(PROTOCOL_VERSION)) ?? UNNAMED_VERSION);

type Name =
  | "noRetry"
  | "breaks"
  | "wholeCalls"
  | "countsBreaks"
  | "notesPlace"
  | "capitals"
  | "lostByStatus"
  | "needsStream";

/**
 * The table. Above each row: who they are and what they do, what is done for them, and the public reports, or the change
 * of the specification before which clients are so. Comments, since a bundle should not carry them; a test holds each to have both.
 */
export const QUIRKS: Readonly<Record<Name, Matches>> = {
  /**
   * Java SDK up to 2.0.1, and Spring AI on it: a `retry:` line ends the stream with an error.
   * Done: no `retry:` is sent, to no Java client.
   * @see https://github.com/modelcontextprotocol/java-sdk/issues/1047
   */
  noRetry: isJava,
  /**
   * Clients before 2025-11-25, such as TypeScript SDK 1.17 to 1.20, and `@ai-sdk/mcp`: a standalone stream that ended in
   * order is not opened again, one that broke is. What brought the end that is none to 2025-11-25 is the first of the reports;
   * the second is the AI SDK's reader, which returns at an end and comes back after an error.
   * Done: the stream is broken off where its client is to come back: by age, at shutdown, on overflow.
   * @see https://github.com/modelcontextprotocol/modelcontextprotocol/pull/1783
   * @see https://github.com/vercel/ai/blob/main/packages/mcp/src/tool/mcp-http-transport.ts
   */
  breaks: (headers) => isBeforePolling(headers) || isAiSdk(headers),
  /**
   * Clients before 2025-11-25, Java SDK of any version and `@ai-sdk/mcp`: a call whose stream ends before its answer hangs.
   * Done: `maxStreamMs` does not end a call's stream: it renews what is behind the client's connection.
   * @see https://github.com/modelcontextprotocol/modelcontextprotocol/pull/1783
   * @see https://github.com/vercel/ai/blob/main/packages/mcp/src/tool/mcp-http-transport.ts
   */
  wholeCalls: (headers) => isBeforePolling(headers) || isJava(headers) || isAiSdk(headers),
  /**
   * Python SDK 1.23 on and 2.x: it counts how often its standalone stream broke, and gives it up for ever at the second time;
   * an end in order starts the count anew.
   * Done: a resume is answered with a stream that ends in order at once, and has the client come back for good
   * (`returning` in `event-id.ts`).
   * @see https://github.com/modelcontextprotocol/python-sdk/issues/3257
   */
  countsBreaks: (headers) => isHttpx(headers) && !isBeforePolling(headers),
  /**
   * mcp-go: it opens its standalone stream again without `Last-Event-ID`, and hears once more what is not known to have been
   * handed over. Go's official SDK does not say what a GET without a body holds.
   * Done: what was handed over is noted with each write, one row each, and not only with the next event.
   * @see https://github.com/mark3labs/mcp-go/blob/v1.2.1/client/transport/streamable_http.go#L827
   */
  notesPlace: (headers) => isGo(headers) && headers.has("content-type") && !headers.has("last-event-id"),
  /**
   * Go SDK 1.2 to 1.3.1: it announces elicitation as `{ "Form": null, "URL": null }`, which servers take for none.
   * Done: `initialize` reaches the server as it is meant: `form` and `url`, and neither, which is `form`, where they are null.
   * @see https://github.com/modelcontextprotocol/go-sdk/blob/v1.3.1/mcp/protocol.go#L992
   */
  capitals: isGo,
  /**
   * `@ai-sdk/mcp`: where the 404 of a session that is gone holds a JSON-RPC error, it does not look at the status, and never
   * lets go of the id.
   * Done: the 404 of a POST says it in plain text: the next request comes without an id, and is served.
   * @see https://github.com/vercel/ai/blob/main/packages/mcp/src/tool/mcp-http-transport.ts
   */
  lostByStatus: isAiSdk,
  /**
   * TypeScript, Java and other SDKs over HTTP+SSE: they never come back to a stream that is gone, and wait for answers on it.
   * Done: a POST with requests to a session whose stream is gone is refused with 404 at once; not to browsers, whose
   * EventSource comes back with `Last-Event-ID`. `Sec-Fetch-Mode` alone says nothing of those: Node's `fetch` sends it too.
   * @see https://github.com/continuedev/continue/issues/12431
   */
  needsStream: (headers) => !headers.has("origin") && !headers.has("sec-fetch-site"),
};

/**
 * How long a call of 2026-07-28 may be silent before its stream begins, in milliseconds; for all its clients, of
 * which nothing tells the ones apart that take a connection that breaks before the head of its answer for the end of the
 * server: openai-agents, Python (https://github.com/modelcontextprotocol/python-sdk/issues/3560,
 * https://github.com/modelcontextprotocol/python-sdk/issues/915). Proxies hold a call by its first bytes besides.
 */
export const BEGINS_AFTER_MS = 300;

/** How soon a client that is sent back by `countsBreaks` comes: `retry:`, in milliseconds. */
export const RETURNS_AFTER_MS = 20;

/** The `initialize` of {@link QUIRKS}.capitals as it is meant; undefined where there is nothing to put right. */
export function asMeant(message: JsonRpcMessage): JsonRpcMessage | undefined {
  if (!("method" in message)) return undefined;
  const capabilities = message.params?.["capabilities"];
  const elicitation = isObject(capabilities) ? capabilities["elicitation"] : undefined;
  if (!isObject(capabilities) || !isObject(elicitation)) return undefined;
  const { Form: form, URL: url, ...rest } = elicitation;
  if (form === undefined && url === undefined) return undefined;
  const meant = { ...rest, ...(isObject(form) ? { form } : {}), ...(isObject(url) ? { url } : {}) };
  return { ...message, params: { ...message.params, capabilities: { ...capabilities, elicitation: meant } } };
}
