/**
 * What Cloudflare bills a month for sessions, from the counts of the part `idle` and the prices
 * below. `npm run bench:report` puts the tables into `docs/cost.md`; change `PRICES` or `HABITS` and run it
 * for your own.
 * @module
 */
import { latestOf } from "./lib/results.ts";
import type { StepRow, WakeRow } from "./parts/idle.ts";

/** Workers Paid, US dollars, as published. A row written is billed alike by SQL, by key and by an alarm that is set. */
export const PRICES = {
  subscription: 5,
  workerRequestsFree: 10e6,
  perMillionWorkerRequests: 0.3,
  workerCpuMsFree: 30e6,
  perMillionWorkerCpuMs: 0.02,
  objectRequestsFree: 1e6,
  perMillionObjectRequests: 0.15,
  gbSecondsFree: 400_000,
  perMillionGbSeconds: 12.5,
  rowsWrittenFree: 50e6,
  perMillionRowsWritten: 1,
} as const;

/** What sessions are assumed to do in a month. Each is open for an hour, with its stream. */
export const HABITS = {
  streamHours: 1,
  quickCalls: 20,
  /** With ten notifications each. */
  streamedCalls: 2,
  /** What an object works for a request or an alarm. What is idle and can sleep is not billed. */
  secondsPerRequest: 0.01,
  /** A streamed call keeps its object active until it is answered. */
  secondsPerStreamedCall: 5,
  /** Memory that an object is billed for while it is active, GB. */
  objectGb: 0.128,
  workerCpuMsPerRequest: 1.5,
  workerCpuMsPerKeepalive: 0.05,
} as const;

/** `: keepalive` and its empty line. */
const KEEPALIVE_BYTES = 13;

const SIZES = [1000, 100_000, 10_000_000];

interface Use {
  workerRequests: number;
  objectRequests: number;
  rowsWritten: number;
  activeSeconds: number;
  workerCpuMs: number;
}

type Rows = readonly (StepRow | WakeRow | object)[];

/** One session's month, in what is billed. */
export function useOf(rows: Rows, subject: string): Use {
  const steps = rows.filter((row): row is StepRow => "step" in row && (row as StepRow).subject === subject);
  const idle = rows
    .filter((row): row is WakeRow => "alarms" in row && (row as WakeRow).subject === subject)
    .at(-1);
  const step = (name: string): StepRow => {
    const found = steps.find((row) => row.step === name);
    if (found === undefined || idle === undefined) throw new Error(`run the part idle first: no ${name}`);
    return found;
  };
  const written = (row: StepRow): number => row.rowsWritten + row.keyValueWrites + row.alarmsSet;
  const times: [StepRow, number][] = [
    [step("opening a session"), 1],
    [step("opening a stream"), 1],
    [step("a quick call"), HABITS.quickCalls],
    [step("a call with 10 notifications"), HABITS.streamedCalls],
  ];
  const sum = (of: (row: StepRow) => number): number =>
    times.reduce((total, [row, count]) => total + of(row) * count, 0);
  const { alarms = 0, rows: idleRows = 0, alarmsSet = 0, messages = 0, requests = 0, bytes = 0 } = idle ?? {};
  const { streamHours: hours, quickCalls, streamedCalls } = HABITS;
  // `initialize`, `initialized` and the stream itself are requests too.
  const workerRequests = 3 + quickCalls + streamedCalls;
  // Twenty messages of a WebSocket are billed as one request; an alarm is one.
  const objectRequests = sum((row) => row.requests) + (alarms + requests + messages / 20) * hours;
  const keepalives = (bytes / KEEPALIVE_BYTES) * hours;
  return {
    workerRequests,
    objectRequests,
    rowsWritten: sum(written) + (idleRows + alarmsSet) * hours,
    activeSeconds: objectRequests * HABITS.secondsPerRequest + streamedCalls * HABITS.secondsPerStreamedCall,
    workerCpuMs: workerRequests * HABITS.workerCpuMsPerRequest + keepalives * HABITS.workerCpuMsPerKeepalive,
  };
}

/** Dollars a month, by what they are for. */
export function bill(use: Use, sessions: number): Record<string, number> {
  const over = (used: number, free: number, perMillion: number): number =>
    (Math.max(0, used * sessions - free) / 1e6) * perMillion;
  const parts = {
    subscription: PRICES.subscription,
    "Worker requests": over(use.workerRequests, PRICES.workerRequestsFree, PRICES.perMillionWorkerRequests),
    "Worker CPU": over(use.workerCpuMs, PRICES.workerCpuMsFree, PRICES.perMillionWorkerCpuMs),
    "object requests": over(use.objectRequests, PRICES.objectRequestsFree, PRICES.perMillionObjectRequests),
    "object duration": over(
      use.activeSeconds * HABITS.objectGb,
      PRICES.gbSecondsFree,
      PRICES.perMillionGbSeconds,
    ),
    "rows written": over(use.rowsWritten, PRICES.rowsWrittenFree, PRICES.perMillionRowsWritten),
  };
  return { ...parts, total: Object.values(parts).reduce((sum, part) => sum + part, 0) };
}

function dollars(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });
}

/** The tables of `docs/cost.md`. */
export function costTables(): Record<"use" | "cost", object[]> {
  const { rows } = latestOf("idle");
  const subjects = ["holdfast", "McpAgent (agents 0.32.0)"];
  const uses = subjects.map((subject) => [subject, useOf(rows, subject)] as const);
  return {
    use: uses.map(([subject, use]) => ({
      "a session's month": subject,
      "Worker requests": dollars(use.workerRequests),
      "object requests": dollars(use.objectRequests),
      "rows written": dollars(use.rowsWritten),
      "seconds active": dollars(use.activeSeconds),
    })),
    cost: SIZES.flatMap((sessions) =>
      uses.map(([subject, use]) => ({
        sessions: sessions.toLocaleString("en"),
        server: subject,
        ...Object.fromEntries(
          Object.entries(bill(use, sessions)).map(([name, value]) => [name, dollars(value)]),
        ),
      })),
    ),
  };
}

if (import.meta.main) for (const rows of Object.values(costTables())) console.table(rows);
