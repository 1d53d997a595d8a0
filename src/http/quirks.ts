/**
 * What clients in the wild get wrong, and what is done for those that can be told by their headers: all of it is
 * in this table. What harms nobody is done for everybody, where it belongs: `retry:` never stands alone in a frame
 * (go-sdk#768), a refusal has the request's id (rmcp waits for it for ever), equal doubled headers count once.
 * @module
 */
import { isObject, type JsonRpcMessage } from "../jsonrpc/messages.ts";
import { comesBack, UNNAMED_VERSION } from "../jsonrpc/versions.ts";
import { PROTOCOL_VERSION, single } from "./headers.ts";

/** A row of the table. */
export interface Quirk {
  /** Who they are, and what they do. */
  readonly clients: string;
  readonly done: string;
  /** Public reports, or the change of the specification before which clients are so. */
  readonly reports: readonly string[];
  /** Whether this request's client is one of them. */
  matches(headers: Headers): boolean;
}

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

/** What brought the end that is none to 2025-11-25: a server may end a connection, and its client comes back. */
const POLLING = "https://github.com/modelcontextprotocol/modelcontextprotocol/pull/1783";
/** Its reader, which returns at an end and comes back after an error. */
const AI_SDK = "https://github.com/vercel/ai/blob/main/packages/mcp/src/tool/mcp-http-transport.ts";

type Name =
  | "noRetry"
  | "breaks"
  | "wholeCalls"
  | "countsBreaks"
  | "notesPlace"
  | "capitals"
  | "lostByStatus"
  | "needsStream";

/** The table: each row names its clients, what is done for them, and the reports that it goes back to. */
export const QUIRKS: Readonly<Record<Name, Quirk>> = {
  noRetry: {
    clients: "Java SDK up to 2.0.1, and Spring AI on it: a `retry:` line ends the stream with an error",
    done: "no `retry:` is sent, to no Java client",
    reports: ["https://github.com/modelcontextprotocol/java-sdk/issues/1047"],
    matches: isJava,
  },
  breaks: {
    clients:
      "Clients before 2025-11-25, such as TypeScript SDK 1.17 to 1.20, and `@ai-sdk/mcp`: a standalone stream that ended in order is not opened again, one that broke is",
    done: "the stream is broken off where its client is to come back: by age, at shutdown, on overflow",
    reports: [POLLING, AI_SDK],
    matches: (headers) => isBeforePolling(headers) || isAiSdk(headers),
  },
  wholeCalls: {
    clients:
      "Clients before 2025-11-25, Java SDK of any version and `@ai-sdk/mcp`: a call whose stream ends before its answer hangs",
    done: "`maxStreamMs` does not end a call's stream: it renews what is behind the client's connection",
    reports: [POLLING, AI_SDK],
    matches: (headers) => isBeforePolling(headers) || isJava(headers) || isAiSdk(headers),
  },
  countsBreaks: {
    clients:
      "Python SDK 1.23 on and 2.x: it counts how often its standalone stream broke, and gives it up for ever at the second time; an end in order starts the count anew",
    done: "a resume is answered with a stream that ends in order at once, and has the client come back for good (`event-id.ts`, `returning`)",
    reports: ["https://github.com/modelcontextprotocol/python-sdk/issues/3257"],
    matches: (headers) => isHttpx(headers) && !isBeforePolling(headers),
  },
  notesPlace: {
    clients:
      "mcp-go: it opens its standalone stream again without `Last-Event-ID`, and hears once more what is not known to have been handed over",
    done: "what was handed over is noted with each write, one row each, and not only with the next event",
    reports: ["https://github.com/mark3labs/mcp-go/blob/v1.2.1/client/transport/streamable_http.go#L827"],
    // Go's official SDK does not say what a GET without a body holds.
    matches: (headers) => isGo(headers) && headers.has("content-type") && !headers.has("last-event-id"),
  },
  capitals: {
    clients:
      'Go SDK 1.2 to 1.3.1: it announces elicitation as `{ "Form": null, "URL": null }`, which servers take for none',
    done: "`initialize` reaches the server as it is meant: `form` and `url`, and neither, which is `form`, where they are null",
    reports: ["https://github.com/modelcontextprotocol/go-sdk/blob/v1.3.1/mcp/protocol.go#L992"],
    matches: isGo,
  },
  lostByStatus: {
    clients:
      "`@ai-sdk/mcp`: where the 404 of a session that is gone holds a JSON-RPC error, it does not look at the status, and never lets go of the id",
    done: "the 404 of a POST says it in plain text: the next request comes without an id, and is served",
    reports: [AI_SDK],
    matches: isAiSdk,
  },
  needsStream: {
    clients:
      "TypeScript, Java and other SDKs over HTTP+SSE: they never come back to a stream that is gone, and wait for answers on it",
    done: "a POST with requests to a session whose stream is gone is refused with 404 at once; not to browsers, whose EventSource comes back with `Last-Event-ID`",
    reports: ["https://github.com/continuedev/continue/issues/12431"],
    // `Sec-Fetch-Mode` alone says nothing: Node's `fetch` sends it too.
    matches: (headers) => !headers.has("origin") && !headers.has("sec-fetch-site"),
  },
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
