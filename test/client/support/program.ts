/** Programs as tests run them: what they print is read line by line, and they can be killed. @module */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { BIN, NEEDED } from "../../support/process.ts";
import { within } from "../../support/wait.ts";

export interface Program {
  /** What it printed, both streams, line by line. */
  readonly lines: string[];
  /** What it printed to standard output. */
  readonly printed: string[];
  /** What it printed to standard error. */
  readonly errors: string[];
  /** The first line from `from` on that matches; waits until there is one. */
  line(pattern: RegExp, from?: number): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** Closes its standard output, as the end of a pipe does that has read enough. */
  readNoMore(): void;
  /** The exit code; null where a signal ended it. */
  readonly exit: Promise<number | null>;
}

export function runProgram(command: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
  const [file = "", ...args] = command;
  const child = spawn(file, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...NEEDED, ...env },
  });
  const lines: string[] = [];
  const printed: string[] = [];
  const errors: string[] = [];
  const waiting = new Set<() => void>();
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on("line", (line) => {
      lines.push(line);
      (input === child.stderr ? errors : printed).push(line);
      for (const look of waiting) look();
    });
  }
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return {
    lines,
    printed,
    errors,
    exit,
    kill: (signal) => child.kill(signal),
    readNoMore: () => void child.stdout.destroy(),
    async line(pattern, from = 0) {
      let done = (): void => undefined;
      const found = new Promise<string>((resolve, reject) => {
        const look = (): void => {
          const line = lines.slice(from).find((printed) => pattern.test(printed));
          if (line !== undefined) resolve(line);
        };
        waiting.add(look);
        done = () => waiting.delete(look);
        look();
        exit.then(
          () => reject(new Error(`it ended without ${String(pattern)}:\n${lines.join("\n")}`)),
          reject,
        );
      });
      try {
        return await within(found, `${String(pattern)} in the output:\n${lines.join("\n")}`);
      } finally {
        done();
      }
    },
  };
}

export const NODE_BIN = `${BIN}/node`;
