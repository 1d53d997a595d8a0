/** A client as a process of its own, and the JSON lines that it is driven by (`clients/loop.ts`). @module */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { PATH } from "../support/process.ts";
import type { ClientDefinition } from "./clients.ts";

/** The limit for one call: each client's own time-out is set to it. */
export const LIMIT_MS = 15_000;
/** How much longer the runner waits for a client that does not keep to its time-out. */
const GRACE_MS = 3000;
const CONNECT_LIMIT_MS = 40_000;
const CLOSE_LIMIT_MS = 8000;

export interface Answer {
  readonly ok: boolean;
  readonly value?: unknown;
  /** Length of the text, of which `value` may be the beginning. */
  readonly length?: number;
  readonly error?: string;
  /** It ended, if at all, by a time limit. */
  readonly isLate: boolean;
}

type Heard = "log" | "progress";

export interface Adapter {
  connect(): Promise<Answer>;
  list(): Promise<Answer>;
  call(name: string, args: Record<string, unknown>, options?: { progress?: boolean }): Promise<Answer>;
  close(): Promise<Answer>;
  /** Number of notifications that the client has heard. */
  heard(kind: Heard): number;
  /** Waits until it has heard this many, or until the limit. */
  untilHeard(kind: Heard, count: number, limitMs: number): Promise<void>;
  /** Standard error, and what else it printed. */
  readonly lines: readonly string[];
  end(): Promise<void>;
}

interface Line {
  readonly id?: number;
  readonly event?: Heard;
  readonly ok?: boolean;
  readonly value?: unknown;
  readonly length?: number;
  readonly error?: string;
}

export function startAdapter(
  { command, refusedLog }: ClientDefinition,
  url: string,
  transport: "http" | "sse",
  folder: string,
): Adapter {
  const [program = "", ...args] = command;
  const child = spawn(program, [...args, url, transport, String(LIMIT_MS)], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, PATH, MCP_REMOTE_CONFIG_DIR: folder, PYTHONDONTWRITEBYTECODE: "1" },
  });
  const waiting = new Map<number, (line: Line) => void>();
  const counts = { log: 0, progress: 0 };
  const lines: string[] = [];
  let lastId = 0;
  let isGone = false;

  const leave = (why: string): void => {
    isGone = true;
    lines.push(why);
    for (const settle of waiting.values()) settle({ ok: false, error: why });
  };
  child.once("error", (error) => leave(error.message));
  child.once("exit", (code) => leave(`the client's process ended with ${code}`));
  child.stdin.on("error", () => {});
  createInterface({ input: child.stderr }).on("line", (line) => {
    lines.push(line);
    if (refusedLog?.test(line)) counts.log += 1;
  });
  createInterface({ input: child.stdout }).on("line", (text) => {
    const line = lineOf(text);
    if (line?.event !== undefined) counts[line.event] += 1;
    else if (line?.id !== undefined) waiting.get(line.id)?.(line);
    else lines.push(text);
  });

  const ask = async (op: string, params: Record<string, unknown>, limitMs: number): Promise<Answer> => {
    if (isGone) return { ok: false, error: "the client's process has ended", isLate: false };
    const id = ++lastId;
    const began = Date.now();
    const { promise, resolve } = Promise.withResolvers<Line>();
    const timer = setTimeout(() => resolve({ ok: false, error: "no end" }), limitMs + GRACE_MS);
    waiting.set(id, resolve);
    child.stdin.write(`${JSON.stringify({ id, op, ...params })}\n`);
    const { ok = false, value, length, error } = await promise;
    clearTimeout(timer);
    waiting.delete(id);
    if (!ok)
      lines.push(`${op} ${JSON.stringify(params).slice(0, 200)}: ${error} after ${Date.now() - began} ms`);
    // A client's clock may run a little ahead of ours.
    return { ok, value, length, error, isLate: !ok && Date.now() - began > limitMs - 500 };
  };

  return {
    connect: () => ask("connect", {}, CONNECT_LIMIT_MS),
    list: () => ask("list", {}, LIMIT_MS),
    call: (name, parameters, { progress = false } = {}) =>
      ask("call", { name, args: parameters, progress }, LIMIT_MS),
    close: () => ask("close", {}, CLOSE_LIMIT_MS),
    heard: (kind) => counts[kind],
    async untilHeard(kind, count, limitMs) {
      for (const end = Date.now() + limitMs; Date.now() < end && counts[kind] < count;) await pause(20);
    },
    lines,
    async end() {
      child.stdin.end();
      for (let n = 0; n < 40 && !isGone; n++) await pause(50);
      if (!isGone) child.kill("SIGKILL");
    },
  };
}

/** What a client prints by itself is no line of ours. */
function lineOf(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}
