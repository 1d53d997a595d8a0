#!/usr/bin/env node
/**
 * The program `holdfast`: the command line on Node, Deno and Bun, which all have Node's `process`.
 * @module
 */
import { type CliOutput, runCli } from "./cli.ts";
import type { Style } from "./cli-report.ts";

interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
  on(event: "error", handler: () => void): unknown;
}

interface Process {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  exitCode: number | undefined;
  on(signal: "SIGINT" | "SIGTERM", handler: () => void): unknown;
  off(signal: "SIGINT" | "SIGTERM", handler: () => void): unknown;
  getBuiltinModule(name: "node:util"): {
    styleText(style: Style, text: string, options: { validateStream: false }): string;
  };
  getBuiltinModule(name: "node:readline"): {
    createInterface(options: { input: unknown; output: unknown; terminal: false }): Lines;
  };
}

interface Lines {
  question(text: string, options: { signal: AbortSignal }, answered: (line: string) => void): void;
  once(event: "close", handler: () => void): void;
  close(): void;
}

const { process: host } = globalThis as unknown as { process: Process };
const { styleText } = host.getBuiltinModule("node:util");

/** https://no-color.org, https://force-color.org: either is set to anything but nothing. */
function hasColours({ isTTY = false }: Output): boolean {
  const { NO_COLOR = "", FORCE_COLOR = "", TERM } = host.env;
  if (NO_COLOR !== "") return false;
  return FORCE_COLOR !== "" ? FORCE_COLOR !== "0" : isTTY && TERM !== "dumb";
}

function output(stream: Output): CliOutput {
  const coloured = hasColours(stream);
  return {
    write: (text) => void stream.write(text),
    paint: (style, text) =>
      coloured && text !== "" ? styleText(style, text, { validateStream: false }) : text,
  };
}

/** One line from the terminal. The terminal itself edits it and makes signals of its keys, as for any program. */
function ask(question: string, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const lines = host
      .getBuiltinModule("node:readline")
      .createInterface({ input: host.stdin, output: host.stderr, terminal: false });
    const leave = (): void => lines.close();
    signal.addEventListener("abort", leave);
    lines.once("close", () => {
      signal.removeEventListener("abort", leave);
      resolve(undefined);
    });
    lines.question(question, { signal }, (line) => {
      resolve(line);
      lines.close();
    });
  });
}

// Set, not called: what was written is written out, and a timer or socket left behind would be seen.
host.exitCode = await runCli({
  args: host.argv.slice(2),
  out: output(host.stdout),
  error: output(host.stderr),
  ask: host.stdin.isTTY === true && host.stderr.isTTY === true ? ask : undefined,
  onInterrupt(handler) {
    // Nobody reads on, as behind `| head`.
    host.stdout.on("error", handler);
    host.stderr.on("error", handler);
    for (const signal of ["SIGINT", "SIGTERM"] as const) host.on(signal, handler);
    return () => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) host.off(signal, handler);
    };
  },
});
