/**
 * Several processes on one Postgres: calls and streams of a session by the process that has it and by way of another, beside
 * one local process; what comes after the end of a process; what processes and sleeping sessions cost.
 * @module
 */
import { type McpSession, sessionAt } from "../../test/support/mcp.ts";
import { toolCall } from "../../test/support/messages.ts";
import { testDatabase } from "../../test/support/postgres.ts";
import {
  type Asked,
  CALLS,
  cpuUsOf,
  type Measured,
  measured,
  openAll,
  SESSIONS,
} from "../lib/cluster-calls.ts";
import { type EndRow, endRows } from "../lib/cluster-ends.ts";
import { type ProcessRow, processRows } from "../lib/cluster-processes.ts";
import { type SleepRow, sleeping } from "../lib/cluster-sleep.ts";
import { benchCluster, benchDatabase, benchLocal } from "../lib/cluster.ts";
import { startLoadGenerator } from "../lib/load.ts";
import type { Context, Part, Verdict } from "../lib/part.ts";
import { checkComplete, readMessages } from "../lib/sse.ts";
import { brief, interleaved, median, pairwise, spread } from "../lib/stats.ts";

const LOCAL = "one local process, SQLite in a file";
const OWNER = "cluster, the process that has the session";
const OTHER = "cluster, by way of another";

interface CallRow {
  subject: string;
  call: string;
  connections: number;
  callsPerSecond: number;
  spread: number;
  p50: number;
  p99: number;
  /** Microseconds of processor time that the processes took for a call, all together; Postgres aside. */
  cpuUs: number;
  /** Of the local process's median in the same rounds. */
  ofLocal: number;
}

interface EventsRow {
  subject: string;
  streams: number;
  events: number;
  eventsPerSecond: number;
  spread: number;
  ofLocal: number;
}

async function callRows(asked: readonly Asked[], { quick, say }: Context): Promise<CallRow[]> {
  const rows: CallRow[] = [];
  const generator = startLoadGenerator();
  try {
    for (const { call, ...what } of CALLS) {
      for (const connections of [1, SESSIONS]) {
        say(`${call}: ${connections} connections`);
        const measure = (each: Asked): Promise<Measured> => measured(generator, each, what, connections);
        for (const each of asked) await measure(each);
        const results = await interleaved(asked, quick ? 3 : 11, measure);
        const local = results.get(asked[0] as Asked) ?? [];
        for (const [{ subject }, taken] of results) {
          rows.push({
            subject,
            call,
            connections,
            callsPerSecond: median(taken.map(({ callsPerSecond }) => callsPerSecond)),
            spread: spread(taken.map(({ p50 }) => p50)),
            p50: median(taken.map(({ p50 }) => p50)),
            p99: median(taken.map(({ p99 }) => p99)),
            cpuUs: cpuUsOf(taken),
            ofLocal: pairwise(taken, local, "p50"),
          });
        }
      }
    }
  } finally {
    generator.close();
  }
  return rows;
}

/** So many streams of one session at once, each with so many notifications: how long until the last has come. */
async function emitted(
  { subject, url, sessions }: Asked,
  streams: number,
  events: number,
): Promise<{ ms: number }> {
  const session = sessionAt(url, sessions[0] as McpSession);
  const from = performance.now();
  const lasts = await Promise.all(
    Array.from({ length: streams }, async () => {
      const answer = await session.post(toolCall("emit", { count: events, on: "request" }));
      const read = await readMessages(answer, events + 1);
      checkComplete(subject, read.text, events);
      return read.lastAt;
    }),
  );
  return { ms: Math.max(...lasts) - from };
}

async function eventRows(asked: readonly Asked[], { quick, say }: Context): Promise<EventsRow[]> {
  const rows: EventsRow[] = [];
  for (const streams of [1, 10]) {
    const events = quick ? 300 : 1000;
    say(`${streams} streams of ${events} events`);
    const measure = (each: Asked): Promise<{ ms: number }> => emitted(each, streams, events);
    for (const each of asked) await measure(each);
    const results = await interleaved(asked, quick ? 2 : 7, measure);
    const local = results.get(asked[0] as Asked) ?? [];
    for (const [{ subject }, taken] of results) {
      const times = taken.map(({ ms }) => ms);
      rows.push({
        subject,
        streams,
        events,
        eventsPerSecond: (streams * events * 1000) / median(times),
        spread: spread(times),
        ofLocal: 1 / pairwise(taken, local, "ms"),
      });
    }
  }
  return rows;
}

type Row = CallRow | EventsRow | EndRow | ProcessRow | SleepRow;

export const cluster: Part = {
  name: "cluster",
  what: "several processes on one Postgres, all on this machine, beside one local process",
  async run(context) {
    const rows: Row[] = [];
    const database = await benchDatabase();
    try {
      const local = await benchLocal("file");
      const three = await benchCluster(await testDatabase(database.url), 3);
      try {
        const [owner, other] = three.members;
        const sessions = await openAll([owner.url], SESSIONS);
        const pids = (): number[] => three.members.map(({ pid }) => pid);
        const asked: readonly Asked[] = [
          {
            subject: LOCAL,
            url: local.url,
            sessions: await openAll([local.url], SESSIONS),
            pids: () => [local.pid],
          },
          { subject: OWNER, url: owner.url, sessions, pids },
          { subject: OTHER, url: other?.url ?? "", sessions, pids },
        ];
        rows.push(...(await callRows(asked, context)), ...(await eventRows(asked, context)));
        rows.push(...(await endRows(three, context)));
      } finally {
        await three.close();
        await local.close();
      }
      rows.push(...(await processRows(database, context)), ...(await sleeping(database, context)));
    } finally {
      await database.close();
    }
    return { rows, verdicts: verdicts(rows) };
  },
  show: (rows) => (rows as Row[]).map(shown),
};

function shown(row: Row): object {
  if ("call" in row)
    return {
      call: row.call,
      subject: row.subject,
      conns: row.connections,
      "calls/s": brief(row.callsPerSecond),
      p50: brief(row.p50),
      p99: brief(row.p99),
      "± %": brief((row.spread * 100) / 2),
      "p50, × local": brief(row.ofLocal),
      "CPU µs a call": brief(row.cpuUs),
    };
  if ("streams" in row)
    return {
      subject: row.subject,
      streams: row.streams,
      "events of each": row.events,
      "events/s": brief(row.eventsPerSecond),
      "± %": brief((row.spread * 100) / 2),
      "× local": brief(row.ofLocal),
    };
  if ("end" in row)
    return {
      "the process that has the session": row.end,
      rounds: row.rounds,
      "next answer, ms": brief(row.ms),
      "longest, ms": brief(row.longestMs),
    };
  if ("processes" in row)
    return {
      processes: row.processes,
      "calls/s": brief(row.callsPerSecond),
      p50: brief(row.p50),
      "CPU µs a call": brief(row.cpuUs),
      "statements/s at rest": brief(row.idleStatements),
      "CPU ms a second at rest, each": brief(row.idleCpuMs),
      "MiB, each": brief(row.eachMiB),
    };
  return {
    "sleeping sessions": row.sleeping,
    "bytes of each": brief(row.bytesEach),
    "MiB of a process": brief(row.processMiB),
    "statements/s": brief(row.statements),
    "what is due, ms": brief(row.dueMs),
    "count, ms": brief(row.countMs),
    "a call that wakes one, ms": brief(row.wakeMs),
  };
}

/** What is aimed at. */
const GOALS = {
  /** Of the local process's median, for a quick call by the process that has the session. */
  owner: 1.25,
  /** Milliseconds from SIGKILL to the next answer. */
  killedMs: 1000,
  /** MiB that a process may hold for 100,000 sessions that nobody uses. */
  sleepMiB: 5,
} as const;

function verdicts(rows: readonly Row[]): Verdict[] {
  const found: Verdict[] = [];
  for (const row of rows) {
    if ("call" in row && row.subject === OWNER && row.call === CALLS[0].call)
      found.push({
        target: `a call that stores nothing at most ${GOALS.owner} × a local process's (${row.connections} connections)`,
        figure: `${brief(row.ofLocal)} ×`,
        met: row.ofLocal <= GOALS.owner,
      });
    if ("end" in row && row.end === "SIGKILL")
      found.push({
        target: `the next answer within ${GOALS.killedMs} ms of SIGKILL, in each round`,
        figure: `${brief(row.longestMs)} ms`,
        met: row.longestMs <= GOALS.killedMs,
      });
  }
  const asleep = rows.filter((row): row is SleepRow => "sleeping" in row);
  const [few, many] = [asleep[0], asleep.at(-1)];
  if (few !== undefined && many !== undefined)
    found.push({
      target: `${many.sleeping} sleeping sessions: no process holds more than ${GOALS.sleepMiB} MiB for them`,
      figure: `${brief(many.processMiB - few.processMiB)} MiB`,
      met: many.processMiB - few.processMiB <= GOALS.sleepMiB,
    });
  return found;
}
