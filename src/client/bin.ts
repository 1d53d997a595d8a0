#!/usr/bin/env node
/**
 * The program `holdfast`: the command line on Node, Deno and Bun, which all have Node's `process`.
 * @module
 */
import { runCli } from "./cli.ts";

interface Process {
  readonly argv: readonly string[];
  readonly stdout: { write(text: string): unknown; on(event: "error", handler: () => void): unknown };
  readonly stderr: { write(text: string): unknown };
  exitCode: number | undefined;
  on(signal: "SIGINT" | "SIGTERM", handler: () => void): unknown;
  off(signal: "SIGINT" | "SIGTERM", handler: () => void): unknown;
}

const { process: host } = globalThis as unknown as { process: Process };

// Set, not called: what was written is written out, and a timer or socket left behind would be seen.
host.exitCode = await runCli({
  args: host.argv.slice(2),
  write: (text) => void host.stdout.write(text),
  writeError: (text) => void host.stderr.write(text),
  onInterrupt(handler) {
    // Nobody reads on, as behind `| head`.
    host.stdout.on("error", handler);
    for (const signal of ["SIGINT", "SIGTERM"] as const) host.on(signal, handler);
    return () => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) host.off(signal, handler);
    };
  },
});
