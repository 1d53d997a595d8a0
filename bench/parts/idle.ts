/**
 * What stands open costs: idle standalone streams, by what wakes their objects and what they hold in
 * memory; and what opening a session, a call and a stream write, for `docs/cost.md`.
 *
 * The intervals are a twentieth of the defaults, so that half a minute shows what ten minutes of the
 * defaults do: two looks of each session at its edges, and forty keepalives.
 * @module
 */
import { readFileSync } from "node:fs";
import { type McpSession, openSession } from "../../test/support/mcp.ts";
import { toolCall } from "../../test/support/messages.ts";
import type { Counters } from "../lib/counters.ts";
import type { Part, Verdict } from "../lib/part.ts";
import { brief } from "../lib/stats.ts";
import { holdfast, mcpAgent, type Running, type Subject } from "../lib/subjects.ts";

const FASTER = 20;
const KEEPALIVE_MS = 15_000;
const SUPERVISE_MS = 300_000;
/** The runtime lets an object sleep after ten seconds without an event. */
const SLEEP_MS = 12_000;

/** An hour and a stream, at the default intervals. */
export interface WakeRow {
  subject: string;
  streams: number;
  /** What was watched, as hours of the default intervals. */
  hours: number;
  constructed: number;
  alarms: number;
  rows: number;
  alarmsSet: number;
  messages: number;
  requests: number;
  /** To each client. */
  bytes: number;
}

interface MemoryRow {
  subject: string;
  streams: number;
  residentMiB: number;
  /** Each of those that were opened since the row before, its sleeping session with it. */
  eachKiB: number;
}

export interface StepRow {
  subject: string;
  step: string;
  requests: number;
  rowsWritten: number;
  alarmsSet: number;
  keyValueWrites: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function countersOf({ url }: Running): Promise<Counters> {
  return (await (await fetch(`${url}/__bench/counters`)).json()) as Counters;
}

function since(before: Counters, after: Counters): Counters {
  const names = Object.keys(before) as (keyof Counters)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as unknown as Counters;
}

/** Resident memory without garbage. */
async function residentMiB({ pid, url }: Running): Promise<number> {
  for (let n = 0; n < 3; n++) {
    const { status } = await fetch(`${url}/__bench/gc`);
    if (status !== 204) throw new Error("garbage cannot be collected");
    await pause(300);
  }
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) / 1024;
}

/** Sessions whose streams stand open. */
interface Standing {
  open(count: number): Promise<void>;
  bytes(): number;
  ended(): number;
  close(): void;
}

function standing(url: string): Standing {
  const closing = new AbortController();
  let bytes = 0;
  let ended = 0;
  let opened = 0;
  const listen = async (): Promise<void> => {
    const session = await openSession(url);
    const headers = { Accept: "text/event-stream", ...session.headers };
    const { body, status } = await fetch(`${url}/mcp`, { headers, signal: closing.signal });
    if (status !== 200 || body === null) throw new Error(`GET was answered ${status}`);
    const drain = async (): Promise<void> => {
      for await (const chunk of body) bytes += chunk.length;
    };
    void drain()
      .catch(() => {})
      .finally(() => (ended += 1));
  };
  return {
    async open(count) {
      for (; opened < count; opened += 10) await Promise.all(Array.from({ length: 10 }, listen));
    },
    bytes: () => bytes,
    ended: () => ended,
    close: () => closing.abort(),
  };
}

interface Watch {
  readonly counts: readonly number[];
  /** How long it is watched what wakes the objects; 0 looks at the memory alone. */
  readonly observeMs: number;
  /** How much shorter the intervals are than the defaults. */
  readonly faster: number;
  readonly say: (text: string) => void;
}

/** Watches ever more streams of one server. */
export async function stand(
  subject: Subject,
  server: Running,
  watch: Watch,
): Promise<(WakeRow | MemoryRow)[]> {
  const { counts, observeMs, faster, say } = watch;
  const rows: (WakeRow | MemoryRow)[] = [];
  const streams = standing(server.url);
  let before = { streams: 0, residentMiB: faster === 1 ? await residentMiB(server) : 0 };
  try {
    for (const count of counts) {
      say(`${subject.name}: ${count} idle streams`);
      await streams.open(count);
      await pause(SLEEP_MS);
      // With shorter intervals objects are awake for most of the time: their memory says nothing then.
      if (faster === 1) {
        const resident = await residentMiB(server);
        const eachKiB = ((resident - before.residentMiB) * 1024) / (count - before.streams);
        before = { streams: count, residentMiB: resident };
        rows.push({ subject: subject.name, ...before, eachKiB });
      }
      if (observeMs === 0) continue;
      const counted = await countersOf(server);
      const bytesBefore = streams.bytes();
      await pause(observeMs);
      const seen = since(counted, await countersOf(server));
      if (streams.ended() > 0) throw new Error(`${subject.name}: ${streams.ended()} streams ended`);
      const hours = (observeMs / 3_600_000) * faster;
      const each = (value: number): number => value / hours / count;
      rows.push({
        subject: subject.name,
        streams: count,
        hours,
        constructed: each(seen.constructed),
        alarms: each(seen.alarms),
        rows: each(seen.rowsWritten + seen.keyValueWrites),
        alarmsSet: each(seen.alarmsSet),
        messages: each(seen.socketMessages),
        requests: each(seen.fetches + seen.methodCalls),
        bytes: each(streams.bytes() - bytesBefore),
      });
    }
  } finally {
    streams.close();
  }
  return rows;
}

/** What single steps of a session's life cost, the mean of some. */
async function stepsOf(subject: Subject, server: Running): Promise<StepRow[]> {
  const MANY = 20;
  const rows: StepRow[] = [];
  const sessions: McpSession[] = [];
  const note = async (name: string, step: (index: number) => Promise<unknown>): Promise<void> => {
    const before = await countersOf(server);
    for (let index = 0; index < MANY; index++) await step(index);
    const seen = since(before, await countersOf(server));
    rows.push({
      subject: subject.name,
      step: name,
      requests: (seen.fetches + seen.methodCalls) / MANY,
      rowsWritten: seen.rowsWritten / MANY,
      alarmsSet: seen.alarmsSet / MANY,
      keyValueWrites: seen.keyValueWrites / MANY,
    });
  };
  const call =
    (name: string, args: Record<string, unknown>) =>
    async (index: number): Promise<void> =>
      void (await (await sessions[index]?.post(toolCall(name, args)))?.text());
  await note("opening a session", async () => sessions.push(await openSession(server.url)));
  await note("a quick call", call("echo", { text: "hello" }));
  await note("a call with 10 notifications", call("emit", { count: 10, on: "request" }));
  await note("opening a stream", async (index) => (await sessions[index]?.fetch("GET"))?.body?.cancel());
  return rows;
}

export const idle: Part = {
  name: "idle",
  what: "standalone streams that stand idle, an hour and a stream at the default intervals; resident memory, edge and sleeping objects together; and what the steps of a session's life cost, hub included",
  async run({ quick, say }) {
    const counts = quick ? [50] : [100, 1000];
    const rows: (WakeRow | MemoryRow)[] = [];
    const steps: StepRow[] = [];
    const on = async (
      subject: Subject,
      { vars, v8Flags = [] }: { vars: Readonly<Record<string, string>>; v8Flags?: readonly string[] },
      measure: (server: Running) => Promise<void>,
    ): Promise<void> => {
      const server = await subject.start(vars, v8Flags);
      try {
        await measure(server);
      } finally {
        await server.close();
      }
    };
    const watch = async (
      subject: Subject,
      vars: Readonly<Record<string, string>>,
      { observeMs, faster }: Pick<Watch, "observeMs" | "faster">,
    ): Promise<void> => {
      const stands = async (server: Running): Promise<void> => {
        rows.push(...(await stand(subject, server, { counts, observeMs, faster, say })));
      };
      // Memory is looked at without garbage.
      await on(subject, { vars, v8Flags: faster === 1 ? ["--expose-gc"] : [] }, stands);
    };
    for (const subject of [holdfast, mcpAgent]) {
      await on(subject, { vars: { BENCH_COUNT: "on" } }, async (server) => {
        steps.push(...(await stepsOf(subject, server)));
      });
    }
    const intervals = {
      HOLDFAST_KEEPALIVE_INTERVAL_MS: String(KEEPALIVE_MS / FASTER),
      HOLDFAST_SUPERVISE_INTERVAL_MS: String(SUPERVISE_MS / FASTER),
    };
    await watch(holdfast, intervals, { observeMs: quick ? 15_000 : 30_000, faster: FASTER });
    await watch(holdfast, {}, { observeMs: 0, faster: 1 });
    // It has no such settings: it is watched as it is.
    await watch(mcpAgent, {}, { observeMs: quick ? 5000 : 15_000, faster: 1 });
    return { rows: [...rows, ...steps], verdicts: verdicts(rows.filter((row) => "alarms" in row)) };
  },
  show: (rows) =>
    (rows as (WakeRow | MemoryRow | StepRow)[]).map((row) => {
      const { subject } = row;
      if ("step" in row)
        return {
          subject,
          step: row.step,
          "object requests": brief(row.requests),
          "rows written": brief(row.rowsWritten),
          "alarms set": brief(row.alarmsSet),
          "key-value writes": brief(row.keyValueWrites),
        };
      if ("residentMiB" in row)
        return {
          subject,
          streams: row.streams,
          "resident MiB": brief(row.residentMiB),
          "KiB a stream": brief(row.eachKiB),
        };
      return {
        subject,
        streams: row.streams,
        "constructor runs": brief(row.constructed),
        alarms: brief(row.alarms),
        "rows written": brief(row.rows),
        "alarms set": brief(row.alarmsSet),
        messages: brief(row.messages),
        requests: brief(row.requests),
        "client bytes": brief(row.bytes),
      };
    }),
};

function verdicts(rows: readonly WakeRow[]): Verdict[] {
  return rows
    .filter((row) => row.subject === holdfast.name)
    .flatMap((row) => [
      {
        target: `no wake-ups but by alarms (${row.streams} streams)`,
        figure: `${brief(row.messages + row.requests)} messages and requests, ${brief(Math.max(0, row.constructed - row.alarms))} constructor runs without an alarm`,
        // An object whose alarm begins as the counters are read has its constructor run counted, and its alarm not yet.
        met: row.messages + row.requests === 0 && row.constructed <= row.alarms * 1.01,
      },
      {
        target: `at most 12 alarms an hour a stream (${row.streams} streams)`,
        figure: brief(row.alarms),
        // Two looks at each session's edges are watched; one more may fall into the time.
        met: row.alarms <= 12.5,
      },
    ]);
}
