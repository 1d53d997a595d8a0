/** Clusters of Node processes over a Postgres of their own, and the one process that they are measured beside. @module */
import { readFileSync } from "node:fs";
import process from "node:process";
import { type Cluster, type Member, startCluster } from "../../test/support/cluster.ts";
import { NODE } from "../../test/support/node.ts";
import { type TestDatabase, testDatabase } from "../../test/support/postgres.ts";
import { type ProcessServer, startProcess } from "../../test/support/process.ts";

const ENTRY = new URL("../node/cluster.ts", import.meta.url).pathname;

/** Processes whose end is this one's duty, however it ends. */
const running = new Set<() => readonly number[]>();
process.once("exit", () => {
  for (const pids of running) for (const pid of pids()) if (pid > 0) process.kill(pid, "SIGKILL");
});

export interface Benched extends Cluster {
  readonly members: readonly [Member, ...Member[]];
}

/** @param count processes */
export async function benchCluster(
  database: TestDatabase,
  count: number,
  vars: Readonly<Record<string, string>> = {},
): Promise<Benched> {
  const cluster = await startCluster({
    database,
    entry: ENTRY,
    vars,
    runtimes: Array.from({ length: count }, () => "node" as const),
  });
  const pids = (): number[] => cluster.members.map(({ pid }) => pid);
  running.add(pids);
  const { close } = cluster;
  return Object.assign(cluster, {
    async close() {
      await close();
      running.delete(pids);
    },
  }) as unknown as Benched;
}

export async function benchLocal(store: "memory" | "file"): Promise<ProcessServer> {
  const local = await startProcess(NODE, { entry: ENTRY, vars: { BENCH_LOCAL: store } });
  const pids = (): number[] => [local.pid];
  running.add(pids);
  const { close } = local;
  return Object.defineProperty(local, "close", {
    value: async () => {
      await close();
      running.delete(pids);
    },
  });
}

export async function benchDatabase(): Promise<TestDatabase> {
  const database = await testDatabase();
  const pids = (): number[] => [database.server?.pid ?? 0];
  running.add(pids);
  const close = database.close.bind(database);
  return Object.assign(database, {
    async close() {
      await close();
      running.delete(pids);
    },
  });
}

/** What a process holds of memory once its garbage has been collected. NaN where there is no `/proc`. */
export async function residentMiB({ url, pid }: Pick<Member, "url" | "pid">): Promise<number> {
  await (await fetch(`${url}/__bench/gc`)).arrayBuffer();
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}

/** Until all that was asked before is counted: a connection that falls silent reports ten seconds later. */
export const REPORTED_MS = 11_000;

/** Statements that the database has run until now, each a transaction of its own. */
export async function statements(database: TestDatabase): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    "SELECT (xact_commit + xact_rollback)::float8 AS n FROM pg_stat_database WHERE datname = current_database()",
  );
  return row?.n ?? Number.NaN;
}
