/**
 * What the command line has to say, as values, and the two forms in which it says them: words for
 * people, coloured on a terminal, and one JSON object a line for scripts.
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
      /** Undefined for that of a task of which only the id is known. */
      readonly tool: string | undefined;
      readonly isError: boolean;
      readonly content: readonly ContentBlock[];
      readonly structuredContent?: JsonObject;
      readonly ms: number;
    }
  /** First of a task; `keptUntil` is an ISO time. */
  | { readonly type: "task"; readonly taskId: string; readonly keptUntil?: string }
  | {
      readonly type: "task-status";
      readonly taskId: string;
      readonly status: string;
      readonly message?: string;
    }
  /** A call was to become a task, and was answered without. */
  | { readonly type: "no-task" }
  | { readonly type: "task-unreachable"; readonly message: string }
  | { readonly type: "task-reached"; readonly attempts: number; readonly downMs: number }
  | { readonly type: "watching" }
  | { readonly type: "nothing-to-watch" }
  | { readonly type: "ping-failed"; readonly message: string }
  | {
      readonly type: "error";
      readonly reason: ConnectFailure | "failed";
      readonly message: string;
      readonly status: number | undefined;
      /** What may be meant instead. */
      readonly hint?: string;
    }
  | { readonly type: "closed" }
  | RecoveryEvent;

/** One line of JSON. Errors inside become their messages. */
export function toJson(report: Report): string {
  return JSON.stringify(report, (_, value: unknown) => (value instanceof Error ? value.message : value));
}

/** A style of `styleText` of `node:util`. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** How words are shown. */
export interface Look {
  /** Puts a text into a style; leaves it alone where there is no terminal. */
  readonly paint: (style: Style, text: string) => string;
  /** The time of day, as it stands before each report; undefined for none. */
  readonly clock: string | undefined;
  /** Whether tools are shown with their schemas. */
  readonly schemas: boolean;
}

/** A text, or one in a style. */
type Piece = string | readonly [Style, string];
type Line = readonly Piece[];

/**
 * The words for what goes on, in one or more lines, below each other after the time. What a server says
 * moves no cursor and sets no clipboard: its control characters are escaped, by whichever way they come.
 */
export function toText(report: Report, { paint, clock, schemas }: Look): string {
  const before = clock === undefined ? "" : `${clock}  `;
  return linesOf(report, schemas)
    .map((pieces, index) => {
      const text = pieces.map((piece) =>
        typeof piece === "string" ? printable(piece) : paint(piece[0], printable(piece[1])),
      );
      return (index === 0 ? paint("dim", before) : " ".repeat(before.length)) + text.join("");
    })
    .join("\n");
}

/** What was asked for, and nothing else: the blocks of a result, or the tools. */
export function toResult(report: Report, look: Look): string | undefined {
  if (report.type === "tools") return toText(report, { ...look, clock: undefined });
  if (report.type !== "result") return undefined;
  const { content, structuredContent } = report;
  if (content.length === 0 && structuredContent !== undefined)
    return printable(JSON.stringify(structuredContent));
  return content.map((each) => printable(block(each))).join("\n");
}

/** The text with its lines and tabs, and with escapes for all else that a terminal obeys or shows as it is not. */
export function printable(text: string): string {
  // Bidirectional overrides show a line other than it is.
  return text
    .replaceAll("\r\n", "\n")
    .replace(
      /[^\P{Cc}\n\t]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
      (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

function linesOf(report: Report, schemas: boolean): Line[] {
  switch (report.type) {
    case "connecting":
      return [[`Connecting to ${report.url} ...`]];
    case "connected": {
      const { server, era, protocolVersion, sessionId, capabilities, ms } = report;
      const row = (name: string, value: string): Line => [["dim", `  ${name.padEnd(14)}`], line(value)];
      return [
        [["green", `Connected in ${seconds(ms)}`]],
        row("server", server === undefined ? "(anonymous)" : `${server.name} ${server.version}`),
        row("protocol", `${protocolVersion ?? "?"} (${era ?? "?"})`),
        row("session", sessionId ?? "none"),
        row("capabilities", Object.keys(capabilities).toSorted().join(", ") || "none"),
      ];
    }
    case "tools": {
      const width = Math.min(32, Math.max(0, ...report.tools.map(({ name }) => line(name).length)));
      return report.tools.flatMap(({ name, description = "", inputSchema }): Line[] => [
        [["cyan", line(name).padEnd(width)], "  ", line(description.trimStart().split(/[\r\n]/, 1)[0] ?? "")],
        ...(schemas ? [[["dim", `  ${JSON.stringify(inputSchema)}`]] satisfies Line] : []),
      ]);
    }
    case "progress":
      return [
        [
          `Progress: ${report.progress}${report.total === undefined ? "" : ` of ${report.total}`}${words(report.message)}`,
        ],
      ];
    case "notification": {
      const params = report.params === undefined ? "" : ` ${line(JSON.stringify(report.params))}`;
      return [[["dim", `Notification ${line(report.method)}`], params]];
    }
    case "result": {
      const { tool = "the task", isError, ms } = report;
      return isError
        ? [[["red", "[ERROR]"], ` ${line(tool)} failed after ${seconds(ms)}`]]
        : [[["green", `Result of ${line(tool)} after ${seconds(ms)}`]]];
    }
    case "task": {
      const kept = report.keptUntil === undefined ? "" : `, kept until ${report.keptUntil}`;
      return [[["cyan", `Task ${report.taskId.replace(/\s+/g, " ")}`], kept]];
    }
    case "task-status":
      return [[`The task: ${line(report.status)}${words(report.message)}`]];
    case "no-task":
      return [["Answered at once: the call became no task."]];
    case "task-unreachable":
      return [[["yellow", `The server is not there; asking again${words(report.message)}`]]];
    case "task-reached":
      return [
        [["green", `The server is there, after ${seconds(report.downMs)} and ${tries(report.attempts)}`]],
      ];
    case "watching":
      return [["Watching. Interrupt to end."]];
    case "nothing-to-watch":
      return [["The server announces no changes: there is nothing to watch."]];
    case "ping-failed":
      return [[["yellow", `No answer to ping${words(report.message)}`]]];
    case "error":
      return [
        [["red", "[ERROR]"], ` ${report.message.replace(/\s+/g, " ")}`],
        ...(report.hint === undefined ? [] : [[report.hint.replace(/\s+/g, " ")]]),
      ];
    case "closed":
      return [[["dim", "Closed."]]];
    default:
      return [[[RECOVERY_STYLES[report.type] ?? "yellow", recoveryText(report).replace(/\s+/g, " ")]]];
  }
}

/** What came back is green, what will not is red; what is between them, yellow. */
const RECOVERY_STYLES: Partial<Record<RecoveryEvent["type"], Style>> = {
  resumed: "green",
  reinitialized: "green",
  reconnected: "green",
  interrupted: "red",
  "recovery-failed": "red",
  "restore-failed": "red",
  "gave-up": "red",
};

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

/** As much of a name, a description, a message as is shown, in characters. */
const MOST_SHOWN = 256;

/** A text that is to stay within its line: one with a break in it would look like lines of ours. */
function line(text: string): string {
  const flat = text.replace(/\r\n|\r|\n/g, " ");
  return flat.length > MOST_SHOWN ? `${flat.slice(0, MOST_SHOWN)}…` : flat;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(3)} s`;
const tries = (count: number): string => `${count} ${count === 1 ? "attempt" : "attempts"}`;

function words(cause: unknown): string {
  if (cause === undefined) return "";
  return ` (${line(cause instanceof Error ? cause.message : String(cause))})`;
}

function causeOf(cause: unknown): unknown {
  return cause instanceof Response ? `HTTP ${cause.status}` : cause;
}
