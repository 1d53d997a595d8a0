/**
 * `holdfast connect <url>`: a client for the command line, for people and for scripts.
 *
 * What was asked for goes to standard output, what goes on meanwhile to standard error. Exit codes: 0
 * for done, 1 for anything that failed (arguments, connection, call, and the tool itself), 130 for an
 * interrupt that broke something off.
 * @module
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { JsonObject } from "../jsonrpc/messages.ts";
import { hintFor } from "./cli-hints.ts";
import type { Ask } from "./cli-questions.ts";
import { type Look, type Report, toJson, toResult, toText } from "./cli-report.ts";
import { VERSION } from "./cli-sdk.ts";
import { visit } from "./cli-visit.ts";
import { ConnectError } from "./connect-error.ts";
import type { Era } from "./connect.ts";

/** One of the two streams that are written to. */
export interface CliOutput {
  write(text: string): void;
  /** Puts a text into a style, where the stream is a terminal that shows it. */
  readonly paint: Look["paint"];
}

/** What the command line needs of its runtime. */
export interface CliRuntime {
  /** Arguments, without the program's own name. */
  readonly args: readonly string[];
  readonly out: CliOutput;
  readonly error: CliOutput;
  /** Asks the user; undefined where there is nobody at a terminal. */
  readonly ask: Ask | undefined;
  /** Calls back on each interrupt (SIGINT, SIGTERM, nobody reads on); returns what takes the handler off. */
  onInterrupt(handler: () => void): () => void;
}

interface Flags {
  readonly tool?: string;
  readonly args: JsonObject;
  readonly toolArg: readonly (readonly [string, string])[];
  readonly schemas: boolean;
  readonly header: Record<string, string>;
  readonly era?: Era;
  readonly timeout: number;
  readonly callTimeout: number;
  readonly task?: boolean;
  readonly taskId?: string;
  readonly watch: boolean;
  readonly ping: number;
  readonly json: boolean;
}

/** Runs the command line to its end. Resolves to the exit code, never rejects. */
export async function runCli(runtime: CliRuntime): Promise<number> {
  let code = 0;
  const program = new Command("holdfast")
    .description("Client for MCP servers over HTTP, of every era, that recovers what is lost")
    .version(VERSION)
    .showHelpAfterError("holdfast connect --help says what there is.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => runtime.out.write(text),
      writeErr: (text) => runtime.error.write(text),
    });
  program
    .command("connect")
    .description("Connect to a server, show what was negotiated, list its tools, or call one")
    .argument("<url>", "the MCP endpoint", parseUrl)
    .option("-t, --tool <name>", "call this tool")
    .option("--tool-arg <name=value>", "an argument of the tool; may be repeated", parseToolArg, [])
    .option("-a, --args <json>", "arguments of the tool, a JSON object", parseArgs, {})
    .option("--schemas", "list the tools with their input schemas", false)
    .option("-H, --header <name: value>", "send this header; may be repeated", parseHeader, {})
    .addOption(
      new Option("-e, --era <era>", "speak this era only (default: session where there is one)").choices([
        "modern",
        "session",
        "legacy",
      ]),
    )
    .option("--timeout <ms>", "limit for connecting", parseMs, 10_000)
    .option("--call-timeout <ms>", "limit for the call, begun anew by progress", parseMs, 60_000)
    .addOption(
      new Option("--task", "have the call made a task, and watch it to its result").conflicts("watch"),
    )
    .addOption(
      new Option("--task-id <id>", "watch this task, and print its result").conflicts([
        "tool",
        "task",
        "args",
        "toolArg",
        "schemas",
        "watch",
      ]),
    )
    .option("-w, --watch", "stay, and report each drop, resume and recovery, until interrupted", false)
    .option("--ping <ms>", "pause between two pings while watching", parseMs, 15_000)
    .option("--json", "print one JSON object a line, all of them to standard output", false)
    .action(async (url: string, flags: Flags, command: Command) => {
      if (flags.task === true && flags.tool === undefined)
        command.error("error: option '--task' needs '--tool': it is a call that becomes a task");
      if ((flags.task === true || flags.taskId !== undefined) && (flags.era ?? "modern") !== "modern")
        command.error("error: tasks are of the era modern: leave out '--era'");
      code = await connectCommand(url, flags, runtime);
    });
  try {
    await program.parseAsync(runtime.args, { from: "user" });
    return code;
  } catch (error) {
    // The parser has said what is wrong.
    if (error instanceof CommanderError) return error.exitCode;
    runtime.error.write(`[ERROR] ${String(error)}\n`);
    return 1;
  }
}

async function connectCommand(url: string, flags: Flags, runtime: CliRuntime): Promise<number> {
  const report = reporter(flags, runtime);
  const interrupted = new AbortController();
  const release = runtime.onInterrupt(() => interrupted.abort(new Error("interrupted")));
  const { tool, args, toolArg: toolArgs, header: headers, watch, ping: pingMs } = flags;
  const { task: asTask = false, taskId } = flags;
  const wantsTasks = asTask || taskId !== undefined;
  const era = wantsTasks ? "modern" : flags.era;
  const { timeout: timeoutMs, callTimeout: callTimeoutMs } = flags;
  const { ask } = runtime;
  try {
    const isDone = await visit(
      {
        url,
        tool,
        args,
        toolArgs,
        asTask,
        taskId,
        headers,
        era,
        timeoutMs,
        callTimeoutMs,
        watch,
        pingMs,
        ask,
      },
      report,
      interrupted.signal,
    );
    return isDone ? 0 : 1;
  } catch (error) {
    const { reason = "failed", status } = error instanceof ConnectError ? error : {};
    const hint = hintFor(error, wantsTasks);
    report({
      type: "error",
      reason,
      message: error instanceof Error ? error.message : String(error),
      status,
      ...(hint !== undefined && { hint }),
    });
    return interrupted.signal.aborted ? 130 : 1;
  } finally {
    release();
  }
}

/** Where each report goes: JSON to one stream, so that a script reads them in order; words to that of their kind. */
function reporter(flags: Flags, { out, error }: CliRuntime): (report: Report) => void {
  const { json, tool, schemas } = flags;
  return (report) => {
    if (json) return out.write(`${toJson(report)}\n`);
    // The tools are the result where none is called; else they were asked for to know its arguments.
    const isAside = report.type === "tools" && tool !== undefined;
    if (isAside && !schemas) return;
    const result = isAside ? undefined : toResult(report, { paint: out.paint, clock: undefined, schemas });
    if (report.type !== "tools" || isAside)
      error.write(`${toText(report, { paint: error.paint, clock: timeOfDay(), schemas })}\n`);
    if (result !== undefined && result !== "") out.write(`${result}\n`);
  };
}

/** The local time, to the second. */
function timeOfDay(): string {
  const now = new Date();
  return [now.getHours(), now.getMinutes(), now.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

function parseUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError("Not an http(s) URL.");
  return text;
}

function parseArgs(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch {
    // Said below, in the same words.
  }
  throw new InvalidArgumentError("Not a JSON object.");
}

function parseToolArg(
  text: string,
  before: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  const [, name, value] = /^([^=]+)=([^]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError("Not of the form name=value.");
  return [...before, [name, value]];
}

function parseHeader(text: string, before: Record<string, string>): Record<string, string> {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new InvalidArgumentError('Not of the form "Name: value".');
  return { ...before, [name]: value };
}

function parseMs(text: string): number {
  const ms = Number(text);
  if (!Number.isInteger(ms) || ms < 1 || ms >= 2 ** 31)
    throw new InvalidArgumentError("Not a number of milliseconds.");
  return ms;
}
