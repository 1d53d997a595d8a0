/** A server as a process of its own, with its database in a file: what can be killed and started again. @module */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { eventsIn } from "./events-in.ts";
import { freePort, type TestServer } from "./workerd.ts";

export interface ProcessServer extends TestServer {
  /** The database file. */
  readonly database: string;
  readonly pid: number;
  /** Kills it, and starts it again on the same file and port; by another program, where one is given. */
  restart(program?: string): Promise<void>;
  /** Sends a signal, and resolves to the exit code once the process is gone. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

export interface ProcessOptions {
  /** Settings and other variables: the process has no others. */
  readonly vars?: Readonly<Record<string, string>>;
  /** The program; the test server by default. It is told its port and its file by flag and by variable. */
  readonly entry?: string;
}

/** The commands of the development dependencies, `node` among them. */
export const BIN = new URL("../../node_modules/.bin", import.meta.url).pathname;
export const PATH = `${BIN}${delimiter}${process.env["PATH"]}`;

/** The test server's program. */
export const ENTRY: string = new URL("local-server.ts", import.meta.url).pathname;
export interface RunOptions extends ProcessOptions {
  readonly cwd?: string;
  /** Ends it, by SIGKILL unless `killSignal` says otherwise. */
  readonly signal?: AbortSignal;
  readonly killSignal?: NodeJS.Signals;
  /** Hears each line of its output; a rejection ends it, and is passed on. */
  readonly onLine?: (line: string) => Promise<void>;
}

/** Where runs of the tests leave to later ones what is costly to make. */
export const CACHE: string = new URL("../../node_modules/.cache/holdfast-tests", import.meta.url).pathname;

/**
 * What programs need to run at all, and where Node keeps what it has compiled: reading that takes half the time of a
 * start, and one that is killed writes none (`warm.ts` does).
 */
export const NEEDED: NodeJS.ProcessEnv = {
  PATH,
  HOME: process.env["HOME"],
  NO_COLOR: "1",
  NODE_COMPILE_CACHE: CACHE,
};

/** Nothing but what is given, and what programs need. */
function environment(vars: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...NEEDED, ...vars };
}

/** Runs a program to its end. */
export async function run(
  [command = "", ...args]: readonly string[],
  { vars = {}, cwd, signal, killSignal = "SIGKILL", onLine }: RunOptions = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(command, args, { cwd, env: environment(vars), stdio: ["ignore", "pipe", "pipe"] });
  const written = { stdout: "", stderr: "" };
  signal?.addEventListener("abort", () => child.kill(killSignal));
  let failure: unknown;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const unfinished = written.stdout.slice(written.stdout.lastIndexOf("\n") + 1);
    written.stdout += chunk;
    for (const line of (unfinished + chunk).split("\n").slice(0, -1)) {
      onLine?.(line).catch((error: unknown) => {
        failure = error;
        child.kill("SIGKILL");
      });
    }
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (written.stderr += chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (failure !== undefined) throw failure;
  return { code, ...written };
}

/**
 * Starts a server by this command, on a free port and a fresh file.
 * Rejects with what it printed where it refuses to start.
 */
export async function startProcess(
  [command = "", ...args]: readonly string[],
  { vars = {}, entry = ENTRY }: ProcessOptions = {},
): Promise<ProcessServer> {
  const root = mkdtempSync(join(tmpdir(), "holdfast-"));
  const database = join(root, "sessions.db");
  let port = 0;
  const lines: string[] = [];
  let child: ChildProcess | undefined;

  const start = async (program = entry): Promise<void> => {
    const started = spawn(command, [...args, program, "--port", String(port), "--db", database], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...environment(vars), PORT: String(port), DATABASE: database },
    });
    child = started;
    const listening = new Promise<void>((resolve, reject) => {
      started.once("error", reject);
      started.once("close", () => reject(new Error(`${command} ended: ${lines.join("\n")}`)));
      for (const input of [started.stdout, started.stderr]) {
        createInterface({ input }).on("line", (line) => {
          lines.push(line);
          if (line.startsWith("Listening on")) resolve();
        });
      }
    });
    await listening;
  };

  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const running = child;
    child = undefined;
    if (running === undefined) return null;
    if (running.exitCode !== null || running.signalCode !== null) return running.exitCode;
    const gone = new Promise<number | null>((resolve) => running.once("exit", resolve));
    running.kill(signal);
    return gone;
  };
  const kill = async (): Promise<void> => void (await end("SIGKILL"));

  while (child === undefined) {
    port = await freePort();
    try {
      await start();
    } catch (error) {
      child = undefined;
      // Another test's server took the port in between.
      if (String(error).includes(`Port ${port} is already in use`)) continue;
      rmSync(root, { recursive: true, force: true });
      throw error;
    }
  }
  return {
    url: `http://127.0.0.1:${port}`,
    database,
    get pid() {
      return child?.pid ?? 0;
    },
    lines,
    events: () => eventsIn(lines),
    end,
    kill,
    restart: async (program) => {
      await kill();
      await start(program);
    },
    close: async () => {
      await kill();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
