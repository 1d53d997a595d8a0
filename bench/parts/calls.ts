/** Calls through a session: `echo`, at 1 and 16 connections, over 1, 50 and 1,000 sessions. @module */
import { openSession } from "../../test/support/mcp.ts";
import { LATEST } from "../../test/support/messages.ts";
import { cpuMs } from "../lib/cpu.ts";
import { type Load, type LoadResult, startLoadGenerator } from "../lib/load.ts";
import type { Part, Verdict } from "../lib/part.ts";
import { brief, interleaved, median, pairwise, spread } from "../lib/stats.ts";
import * as subjects from "../lib/subjects.ts";
import type { Running, Subject } from "../lib/subjects.ts";

const { floor, holdfast, holdfastBare, mcpAgent } = subjects;
const { nodeFloor, holdfastNode, holdfastNodeFile, holdfastNodeBare, holdfastNodeLite } = subjects;
const { sdkSession, sdkSessionJson, honoMcp, mcpLite } = subjects;

/** Those of a host in this order, its floor first. */
const SUBJECTS = [
  floor,
  holdfastBare,
  holdfast,
  mcpAgent,
  nodeFloor,
  holdfastNodeBare,
  holdfastNodeLite,
  mcpLite,
  holdfastNode,
  holdfastNodeFile,
  sdkSessionJson,
  sdkSession,
  honoMcp,
];
const CONNECTIONS = [1, 16];

/**
 * A shared machine is slow for some seconds now and then, by a third and more: two subjects can be compared
 * only within such a time, so windows are short (but long enough for each of 1,000 sessions to be called
 * before it counts), and there are many. On workerd they hold one of its full collections, of up to 0.3 s.
 */
const TIMES = {
  Node: { rounds: 13, warmUpMs: 200, measureMs: 300 },
  workerd: { rounds: 7, warmUpMs: 200, measureMs: 1000 },
} as const;

const TEXT = "The quick brown fox jumps over the lazy dog";

const BODY = {
  jsonrpc: "2.0",
  method: "tools/call",
  params: { name: "echo", arguments: { text: TEXT } },
};

interface Open {
  readonly subject: Subject;
  readonly server: Running;
  readonly sessions: readonly string[];
}

type Round = Pick<LoadResult, "callsPerSecond" | "p50">;

export interface CallsRow {
  host: string;
  subject: string;
  connections: number;
  sessions: number;
  callsPerSecond: number;
  spread: number;
  p50: number;
  p99: number;
  ofFloor: number;
  /** Microseconds of processor time that the server took for a call, all threads together. */
  cpuUs: number;
  generatorCpu: number;
  rounds: readonly Round[];
}

type Measured = LoadResult & { readonly cpuUs: number };

/** Opens sessions, sixteen at a time. */
async function openAll(subject: Subject, url: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  const open = async (): Promise<void> => {
    for (let left = count; ids.length < count && left > 0; left--) {
      ids.push((await openSession(url, { version: subject.version ?? LATEST })).id);
    }
  };
  await Promise.all(Array.from({ length: Math.min(16, count) }, open));
  return ids.slice(0, count);
}

export const calls: Part = {
  name: "calls",
  what: "calls through a session: `echo`, milliseconds",
  async run({ quick, say }) {
    const rows: CallsRow[] = [];
    const counts = quick ? [1, 50] : [1, 50, 1000];
    const most = Math.max(...counts);
    const generator = startLoadGenerator();
    const opened: Open[] = [];
    try {
      for (const host of ["workerd", "Node"] as const) {
        for (const subject of SUBJECTS.filter((each) => each.host === host)) {
          const server = await subject.start();
          opened.push({ subject, server, sessions: [] });
          const startedAt = performance.now();
          const sessions = await openAll(subject, server.url, most);
          opened.pop();
          opened.push({ subject, server, sessions });
          say(`${subject.name}: ${most} sessions opened in ${Math.round(performance.now() - startedAt)} ms`);
        }
        const measure = (
          { subject, server, sessions }: Open,
          load: Pick<Load, "connections" | "warmUpMs" | "measureMs"> & { count: number },
        ): Promise<Measured> =>
          measured(subject.name, server, () =>
            generator.run({
              ...load,
              url: server.url,
              sessions: sessions.slice(0, load.count),
              body: BODY,
              expects: TEXT,
              version: subject.version ?? LATEST,
            }),
          );
        const { rounds, warmUpMs, measureMs } = TIMES[host];
        say(`${host}: warming up`);
        for (const open of opened)
          await measure(open, { connections: 16, count: most, warmUpMs: quick ? 500 : 2000, measureMs: 500 });
        for (const count of counts) {
          for (const connections of CONNECTIONS) {
            say(`${host}: ${connections} connections, ${count} sessions`);
            // Objects sleep after ten seconds: all are woken first, so that waking is not what is measured.
            if (count > 50)
              for (const open of opened)
                await measure(open, { connections: 16, count, warmUpMs: 500, measureMs: 500 });
            const results = await interleaved(opened, quick ? 2 : rounds, (open) =>
              measure(open, { connections, count, warmUpMs, measureMs }),
            );
            const ground = results.get(opened[0] as Open) ?? [];
            for (const [{ subject }, taken] of results) {
              const of = (field: "callsPerSecond" | "p50" | "p99" | "cpuUs" | "generatorCpu"): number[] =>
                taken.map((round) => round[field]);
              rows.push({
                host,
                subject: subject.name,
                connections,
                sessions: count,
                callsPerSecond: median(of("callsPerSecond")),
                spread: spread(of("callsPerSecond")),
                p50: median(of("p50")),
                p99: median(of("p99")),
                ofFloor: pairwise(taken, ground, "callsPerSecond"),
                cpuUs: median(of("cpuUs")),
                generatorCpu: median(of("generatorCpu")),
                rounds: taken.map(({ callsPerSecond, p50 }) => ({ callsPerSecond, p50 })),
              });
            }
          }
        }
        for (const { server } of opened.splice(0)) await server.close();
      }
    } finally {
      generator.close();
      for (const { server } of opened) await server.close();
    }
    return { rows, verdicts: verdicts(rows) };
  },
  show: (rows) =>
    (rows as CallsRow[]).map((row) => ({
      host: row.host,
      subject: row.subject,
      conns: row.connections,
      sessions: row.sessions,
      "calls/s": brief(row.callsPerSecond),
      "± %": brief((row.spread * 100) / 2),
      p50: brief(row.p50),
      p99: brief(row.p99),
      "% of floor": brief(row.ofFloor * 100),
      "CPU µs a call": brief(row.cpuUs),
      "generator CPU %": brief(row.generatorCpu * 100),
    })),
};

/** A result in which every call succeeded: a figure with failures in it says nothing. */
async function measured(name: string, { pid }: Running, run: () => Promise<LoadResult>): Promise<Measured> {
  const before = cpuMs(pid);
  const result = await run();
  const cpuUs = ((cpuMs(pid) - before) * 1000) / result.allCalls;
  if (result.failures > 0 || result.calls === 0) {
    throw new Error(`${name}: ${result.failures} of ${result.calls} calls failed: ${result.lastFailure}`);
  }
  return { ...result, cpuUs };
}

function verdicts(rows: readonly CallsRow[]): Verdict[] {
  const at16 = (subject: Subject, count: number): CallsRow | undefined =>
    rows.find((row) => row.subject === subject.name && row.connections === 16 && row.sessions === count);
  const found: Verdict[] = [];
  for (const count of [1, 50, 1000]) {
    const ours = at16(holdfast, count);
    const bare = at16(holdfastBare, count);
    const theirs = at16(mcpAgent, count);
    const onNode = at16(holdfastNode, count);
    if (ours === undefined || bare === undefined || theirs === undefined || onNode === undefined) continue;
    const where = `16 connections, ${count} sessions`;
    const rate = pairwise(ours.rounds, theirs.rounds, "callsPerSecond");
    const wait = pairwise(ours.rounds, theirs.rounds, "p50");
    found.push(
      { target: `calls/s of McpAgent × 4 (${where})`, figure: `${brief(rate)} ×`, met: rate >= 4 },
      {
        target: `p50 at most 1/3 of McpAgent's (${where})`,
        figure: `${brief(wait)} of it`,
        met: wait <= 1 / 3,
      },
      {
        target: `half of the floor, server without work (${where})`,
        figure: `${brief(bare.ofFloor * 100)} %`,
        met: bare.ofFloor >= 0.5,
      },
    );
    const lite = at16(mcpLite, count);
    const sameServer = at16(holdfastNodeLite, count);
    if (lite !== undefined && sameServer !== undefined) {
      const lead = pairwise(sameServer.rounds, lite.rounds, "callsPerSecond");
      found.push({
        target: `on Node ahead of ${mcpLite.name}, around mcp-lite's own server (${where})`,
        figure: `${brief(lead)} ×`,
        met: lead > 1,
      });
    }
    for (const peer of [sdkSession, sdkSessionJson, honoMcp, mcpLite]) {
      const row = at16(peer, count);
      if (row === undefined) continue;
      const lead = pairwise(onNode.rounds, row.rounds, "callsPerSecond");
      found.push({
        target: `on Node, around SDK 2.4.0's server, ahead of ${peer.name} (${where})`,
        figure: `${brief(lead)} ×`,
        met: lead > 1,
      });
    }
  }
  return found;
}
