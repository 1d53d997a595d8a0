/**
 * What the command line has to say, as values, and the two forms in which it says them: words for
 * people, and one JSON object a line for scripts.
 * @module
 */
import type { JsonObject } from "../jsonrpc/messages.ts";
import type { ConnectFailure } from "./connect-error.ts";
import type { Era } from "./connect.ts";
import type { RecoveryEvent } from "./recovery-events.ts";

/** A tool as `tools/list` gives it. */
export interface ToolInfo {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: unknown;
}

/** One block of a tool's result. */
export interface ContentBlock extends JsonObject {
  readonly type: string;
}

/** `type` tells the fields. New types and fields may come; none that is here goes. Times are milliseconds. */
export type Report =
  | { readonly type: "connecting"; readonly url: string }
  | {
      readonly type: "connected";
      readonly url: string;
      readonly era: Era | undefined;
      readonly protocolVersion: string | undefined;
      readonly sessionId: string | undefined;
      readonly server: { readonly name: string; readonly version: string } | undefined;
      readonly capabilities: JsonObject;
      readonly ms: number;
    }
  | { readonly type: "tools"; readonly tools: readonly ToolInfo[] }
  | {
      readonly type: "progress";
      readonly progress: number;
      readonly total?: number;
      readonly message?: string;
    }
  | { readonly type: "notification"; readonly method: string; readonly params: unknown }
  | {
      readonly type: "result";
      readonly tool: string;
      readonly isError: boolean;
      readonly content: readonly ContentBlock[];
      readonly ms: number;
    }
  | { readonly type: "watching" }
  | { readonly type: "nothing-to-watch" }
  | { readonly type: "ping-failed"; readonly message: string }
  | {
      readonly type: "error";
      readonly reason: ConnectFailure | "failed";
      readonly message: string;
      readonly status: number | undefined;
    }
  | { readonly type: "closed" }
  | RecoveryEvent;

/** One line of JSON. Errors inside become their messages. */
export function toJson(report: Report): string {
  return JSON.stringify(report, (_, value: unknown) => (value instanceof Error ? value.message : value));
}

/** Words, in one or more lines. What a server says moves no cursor and sets no clipboard: controls are replaced. */
export function toText(report: Report): string {
  // Bidirectional overrides show a line other than it is.
  return textOf(report)
    .replaceAll("\r\n", "\n")
    .replace(/[^\P{Cc}\n\t]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

function textOf(report: Report): string {
  switch (report.type) {
    case "connecting":
      return `Connecting to ${report.url} ...`;
    case "connected": {
      const { server, era, protocolVersion, sessionId, capabilities, ms } = report;
      return [
        `Connected in ${seconds(ms)}`,
        `  server        ${server === undefined ? "(anonymous)" : line(`${server.name} ${server.version}`)}`,
        `  protocol      ${line(protocolVersion ?? "?")} (${era ?? "?"})`,
        `  session       ${line(sessionId ?? "none")}`,
        `  capabilities  ${line(Object.keys(capabilities).toSorted().join(", ")) || "none"}`,
      ].join("\n");
    }
    case "tools":
      return [
        `Tools: ${report.tools.length}`,
        ...report.tools.flatMap(({ name, description, inputSchema }) => [
          `  ${line(`${name}${description === undefined ? "" : `: ${description}`}`)}`,
          `    ${JSON.stringify(inputSchema)}`,
        ]),
      ].join("\n");
    case "progress":
      return `Progress: ${report.progress}${report.total === undefined ? "" : ` of ${report.total}`}${words(report.message)}`;
    case "notification":
      return `Notification ${line(report.method)}${report.params === undefined ? "" : ` ${JSON.stringify(report.params)}`}`;
    case "result":
      return [
        `${report.isError ? "[ERROR] " : ""}Result of ${report.tool} after ${seconds(report.ms)}:`,
        ...report.content.map(block),
      ].join("\n");
    case "watching":
      return "Watching. Interrupt to end.";
    case "nothing-to-watch":
      return "The server announces no changes: there is nothing to watch.";
    case "ping-failed":
      return `No answer to ping${words(report.message)}`;
    case "error":
      return `[ERROR] ${line(report.message)}`;
    case "closed":
      return "Closed.";
    default:
      return line(recoveryText(report));
  }
}

function recoveryText(event: RecoveryEvent): string {
  switch (event.type) {
    case "dropped":
      return `Dropped: the ${event.stream} stream${words(event.cause)}`;
    case "resumed": {
      const from = event.eventId === undefined ? "" : ` from event ${event.eventId}`;
      return `Resumed: the ${event.stream} stream${from}, after ${seconds(event.downMs)} and ${tries(event.attempts)}`;
    }
    case "gap":
      return `Gap: the server no longer holds what came after event ${event.eventId}`;
    case "parked":
      return `Waiting: the ${event.stream} stream, until a request succeeds`;
    case "interrupted":
      return `Interrupted: ${event.ids.length === 1 ? "a call" : `${event.ids.length} calls`} (${event.reason})`;
    case "reinitialized": {
      const { previous, current, changed, downMs } = event;
      const differs = changed.length === 0 ? "" : `; changed: ${changed.join(", ")}`;
      return `Recovered: session ${current.sessionId ?? "none"} in place of ${previous?.sessionId ?? "one not known"}, in ${seconds(downMs)}${differs}`;
    }
    case "recovery-failed":
      return `Not recovered${words(causeOf(event.cause))}; not tried again for ${seconds(event.retryInMs)}`;
    case "restore-failed":
      return `Not restored in the new session: ${JSON.stringify(event.message)}`;
    case "reconnected":
      return `Reconnected after ${seconds(event.downMs)} and ${tries(event.attempts)}`;
    case "gave-up":
      return `Gave up after ${tries(event.attempts)}${words(event.cause)}`;
  }
}

function block(content: ContentBlock): string {
  const { type, text, data, mimeType } = content;
  if (type === "text") return String(text);
  if (typeof data === "string")
    return `[${line(`${type} ${String(mimeType)}`)}, ${Math.floor((data.length * 3) / 4)} bytes]`;
  return JSON.stringify(content);
}

/** A text that is to stay within its line: one with a break in it would look like lines of ours. */
const line = (text: string): string => text.replace(/\r\n|\r|\n/g, " ");
const seconds = (ms: number): string => `${(ms / 1000).toFixed(3)} s`;
const tries = (count: number): string => `${count} ${count === 1 ? "attempt" : "attempts"}`;

function words(cause: unknown): string {
  if (cause === undefined) return "";
  return ` (${line(cause instanceof Error ? cause.message : String(cause))})`;
}

function causeOf(cause: unknown): unknown {
  return cause instanceof Response ? `HTTP ${cause.status}` : cause;
}
