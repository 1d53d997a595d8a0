/** Size of each entry against its budget, and how soon a Worker answers once its process starts. @module */
import { readFileSync } from "node:fs";
import type { Part, Verdict } from "../lib/part.ts";
import { ENTRIES, type Entry, sizeOf } from "../lib/sizes.ts";
import { brief, interleaved, median } from "../lib/stats.ts";
import { floor, holdfast, mcpAgent, type Running, type Subject } from "../lib/subjects.ts";

interface SizeRow {
  entry: string;
  minified: number;
  gzip: number;
  budget?: number;
}

interface StartRow {
  subject: string;
  startMs: number;
}

const MCP_AGENT: Entry = {
  name: "McpAgent (agents 0.32.0) with one tool, all included",
  code: 'export * from "./bench/peers/mcp-agent-one-tool.ts"; export { default } from "./bench/peers/mcp-agent-one-tool.ts";',
  whole: true,
};

/** From the start of the process to its first answer. */
async function startTime(server: Running): Promise<number> {
  await server.kill();
  const from = performance.now();
  const starting = server.restart();
  for (;;) {
    try {
      await (await fetch(`${server.url}/health`)).body?.cancel();
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  const ms = performance.now() - from;
  await starting;
  return ms;
}

export const size: Part = {
  name: "size",
  what: "minified gzip of each entry (SDK and Hono outside, but where they are said to be in); start of the process",
  async run({ quick, say }) {
    const budgets = JSON.parse(readFileSync(new URL("../budget.json", import.meta.url), "utf8")) as Record<
      string,
      number
    >;
    const sizes: SizeRow[] = [];
    for (const entry of [...ENTRIES, MCP_AGENT]) {
      const { minified, gzip } = await sizeOf(entry);
      const budget = budgets[entry.name];
      sizes.push({ entry: entry.name, minified, gzip, ...(budget === undefined ? {} : { budget }) });
    }
    say("start of the process");
    const subjects: Subject[] = [floor, holdfast, mcpAgent];
    const running = new Map<Subject, Running>();
    const starts: StartRow[] = [];
    try {
      for (const subject of subjects) running.set(subject, await subject.start());
      const taken = await interleaved(subjects, quick ? 3 : 9, (subject) =>
        startTime(running.get(subject) as Running),
      );
      for (const [subject, rounds] of taken) starts.push({ subject: subject.name, startMs: median(rounds) });
    } finally {
      for (const server of running.values()) await server.close();
    }
    const gzip = (name: string): number => sizes.find(({ entry }) => entry === name)?.gzip ?? Number.NaN;
    const at = (name: string, kib: number): Verdict => ({
      target: `${name}: at most ${kib} KiB`,
      figure: `${(gzip(name) / 1024).toFixed(1)} KiB`,
      met: gzip(name) <= kib * 1024,
    });
    const verdicts = [at("router + session core", 20), at("recoveringFetch", 5)];
    return { rows: [...sizes, ...starts], verdicts };
  },
  show: (rows) =>
    (rows as (SizeRow | StartRow)[]).map((row) =>
      "entry" in row
        ? {
            what: row.entry,
            "gzip KiB": (row.gzip / 1024).toFixed(1),
            "minified KiB": (row.minified / 1024).toFixed(1),
            "budget KiB": row.budget === undefined ? "" : (row.budget / 1024).toFixed(1),
          }
        : { what: `${row.subject}: first answer after`, ms: brief(row.startMs) },
    ),
};
