/**
 * What clients in the wild get wrong, and what is done for those that can be told by their headers: all of it is
 * in this table. What harms nobody is done for everybody, where it belongs: `retry:` never stands alone in a frame
 * (go-sdk#768), a refusal has the request's id (rmcp waits for it for ever), equal doubled headers count once.
 * @module
 */
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

/** Clients of 2025-03-26 do not send the header. */
const isBeforePolling = (headers: Headers): boolean =>
  !comesBack(single(headers.get(PROTOCOL_VERSION)) ?? UNNAMED_VERSION);

/** What brought the end that is none to 2025-11-25: a server may end a connection, and its client comes back. */
const POLLING = "https://github.com/modelcontextprotocol/modelcontextprotocol/pull/1783";
/** Its reader, which returns at an end and comes back after an error. */
const AI_SDK = "https://github.com/vercel/ai/blob/main/packages/mcp/src/tool/mcp-http-transport.ts";

/** The table: each row names its clients, what is done for them, and the reports that it goes back to. */
export const QUIRKS: Readonly<Record<"noRetry" | "breaks" | "wholeCalls" | "needsStream", Quirk>> = {
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
