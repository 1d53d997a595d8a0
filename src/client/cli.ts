/**
 * `holdfast connect <url>`: a client for the command line, for people and for scripts.
 *
 * Exit codes: 0 for done, 1 for anything that failed (arguments, connection, call), 130 for an
 * interrupt that broke something off. A tool that reports an error of its own is not a failure of ours.
 * @module
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { JsonObject } from "../jsonrpc/messages.ts";
import { ConnectError } from "./connect-error.ts";
import type { Era } from "./connect.ts";
import { type Report, toJson, toText } from "./cli-report.ts";
import { visit } from "./cli-visit.ts";

/** What the command line needs of its runtime. */
export interface CliRuntime {
  /** Arguments, without the program's own name. */
  readonly args: readonly string[];
  write(text: string): void;
  writeError(text: string): void;
  /** Calls back on each interrupt (SIGINT, SIGTERM, nobody reads on); returns what takes the handler off. */
  onInterrupt(handler: () => void): () => void;
}

interface Flags {
  readonly tool?: string;
  readonly args: JsonObject;
  readonly header: Record<string, string>;
  readonly era?: Era;
  readonly timeout: number;
  readonly callTimeout: number;
  readonly watch: boolean;
  readonly ping: number;
  readonly json: boolean;
}

/** Runs the command line to its end. Resolves to the exit code, never rejects. */
export async function runCli(runtime: CliRuntime): Promise<number> {
  let code = 0;
  const program = new Command("holdfast")
    .description("Client for MCP servers over HTTP, of every era, that recovers what is lost")
    .showHelpAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => runtime.write(text),
      writeErr: (text) => runtime.writeError(text),
    });
  program
    .command("connect")
    .description("Connect to a server, show what was negotiated, and list its tools")
    .argument("<url>", "the MCP endpoint", parseUrl)
    .option("-t, --tool <name>", "call this tool")
    .option("-a, --args <json>", "arguments of the tool, a JSON object", parseArgs, {})
    .option("-H, --header <name: value>", "send this header; may be repeated", parseHeader, {})
    .addOption(new Option("-e, --era <era>", "speak this era only").choices(["modern", "session", "legacy"]))
    .option("--timeout <ms>", "limit for connecting", parseMs, 10_000)
    .option("--call-timeout <ms>", "limit for the call", parseMs, 60_000)
    .option("-w, --watch", "stay, and report each drop, resume and recovery, until interrupted", false)
    .option("--ping <ms>", "pause between two pings while watching", parseMs, 15_000)
    .option("--json", "print one JSON object a line", false)
    .action(async (url: string, flags: Flags) => {
      code = await connectCommand(url, flags, runtime);
    });
  try {
    await program.parseAsync(runtime.args, { from: "user" });
    return code;
  } catch (error) {
    // The parser has said what is wrong.
    if (error instanceof CommanderError) return error.exitCode;
    runtime.writeError(`[ERROR] ${String(error)}\n`);
    return 1;
  }
}

async function connectCommand(url: string, flags: Flags, runtime: CliRuntime): Promise<number> {
  const report = (what: Report): void => {
    if (flags.json) runtime.write(`${toJson(what)}\n`);
    else if (what.type === "error") runtime.writeError(`${toText(what)}\n`);
    else runtime.write(`${toText(what)}\n`);
  };
  const interrupted = new AbortController();
  const release = runtime.onInterrupt(() => interrupted.abort(new Error("interrupted")));
  const {
    tool,
    args,
    header: headers,
    era,
    timeout: timeoutMs,
    callTimeout: callTimeoutMs,
    watch,
    ping: pingMs,
  } = flags;
  const eras = era === undefined ? undefined : [era];
  try {
    await visit(
      { url, tool, args, headers, eras, timeoutMs, callTimeoutMs, watch, pingMs },
      report,
      interrupted.signal,
    );
    return 0;
  } catch (error) {
    const { reason = "failed", status } = error instanceof ConnectError ? error : {};
    report({
      type: "error",
      reason,
      message: error instanceof Error ? error.message : String(error),
      status,
    });
    return interrupted.signal.aborted ? 130 : 1;
  } finally {
    release();
  }
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
