/** Calls to sessions of a cluster, or of the one process beside it. @module */
import { type McpSession, openSession } from "../../test/support/mcp.ts";
import { LATEST } from "../../test/support/messages.ts";
import { cpuMs } from "./cpu.ts";
import type { LoadGenerator, LoadResult } from "./load.ts";

/** Who is asked for the sessions: by the process that has them or another. */
export interface Asked {
  readonly subject: string;
  readonly url: string;
  readonly sessions: readonly McpSession[];
  /** The processes that serve them. */
  readonly pids: () => readonly number[];
}

/** With the milliseconds of processor time that the processes took, all together. */
export type Measured = LoadResult & { readonly cpuMs: number };

/** Microseconds of processor time for a call: of all rounds together, since it is counted in hundredths of a second. */
export function cpuUsOf(rounds: readonly Measured[]): number {
  const total = (field: "cpuMs" | "allCalls"): number => rounds.reduce((sum, round) => sum + round[field], 0);
  return (total("cpuMs") * 1000) / total("allCalls");
}

/** A call, and text of each answer. */
export const CALLS = [
  { call: "echo, stores nothing", name: "echo", args: { text: "hello" }, expects: "hello" },
  { call: "count, changes the session's state", name: "count", args: {}, expects: "counted" },
] as const;

export const SESSIONS = 16;

export async function openAll(urls: readonly string[], count: number): Promise<McpSession[]> {
  const sessions: McpSession[] = [];
  for (let n = 0; n < count; n++) sessions.push(await openSession(urls[n % urls.length] ?? ""));
  return sessions;
}

/** A result in which every call succeeded. */
export async function measured(
  generator: LoadGenerator,
  { subject, url, sessions, pids }: Asked,
  { name, args, expects }: { readonly name: string; readonly args: object; readonly expects: string },
  connections: number,
): Promise<Measured> {
  const before = taken(pids());
  const result = await generator.run({
    url,
    sessions: sessions.map(({ id }) => id),
    connections,
    warmUpMs: 200,
    measureMs: 500,
    body: { jsonrpc: "2.0", method: "tools/call", params: { name, arguments: args } },
    expects,
    version: LATEST,
  });
  if (result.failures > 0 || result.calls === 0)
    throw new Error(`${subject}: ${result.failures} of ${result.calls} calls failed: ${result.lastFailure}`);
  return { ...result, cpuMs: taken(pids()) - before };
}

const taken = (pids: readonly number[]): number => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
