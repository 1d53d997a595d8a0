/** What processes cost a cluster. @module */
import { type TestDatabase, testDatabase } from "../../test/support/postgres.ts";
import { type Asked, CALLS, cpuUsOf, type Measured, measured, openAll, SESSIONS } from "./cluster-calls.ts";
import { benchCluster, type Benched, REPORTED_MS, residentMiB, statements } from "./cluster.ts";
import { cpuMs } from "./cpu.ts";
import { startLoadGenerator } from "./load.ts";
import type { Context } from "./part.ts";
import { interleaved, median } from "./stats.ts";

export interface ProcessRow {
  processes: number;
  /** By way of one of them, the sessions spread over all. */
  callsPerSecond: number;
  p50: number;
  cpuUs: number;
  idleStatements: number;
  /** Milliseconds of processor time a second, each, with nothing to do. */
  idleCpuMs: number;
  eachMiB: number;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Clusters of one to eight processes, side by side: at rest, and under calls by way of one of them. */
export async function processRows(database: TestDatabase, { quick, say }: Context): Promise<ProcessRow[]> {
  const open: { cluster: Benched; own: TestDatabase; asked: Asked }[] = [];
  const generator = startLoadGenerator();
  try {
    for (const count of [1, 2, 4, 8]) {
      say(`${count} processes`);
      const own = await testDatabase(database.url);
      const cluster = await benchCluster(own, count);
      const [{ url }] = cluster.members;
      const sessions = await openAll(
        cluster.members.map((member) => member.url),
        SESSIONS,
      );
      open.push({
        cluster,
        own,
        asked: {
          subject: `${count} processes`,
          url,
          sessions,
          pids: () => cluster.members.map(({ pid }) => pid),
        },
      });
    }
    const look = async (): Promise<{ n: number; cpu: number }[]> =>
      Promise.all(
        open.map(async ({ cluster, own }) => ({
          n: await statements(own),
          cpu: median(cluster.members.map(({ pid }) => cpuMs(pid))),
        })),
      );
    say("at rest");
    await sleep(REPORTED_MS);
    const seconds = quick ? 10 : 30;
    const before = await look();
    await sleep(seconds * 1000);
    const since = await look();
    const memory = new Map<object, number>();
    for (const each of open) {
      memory.set(each, median(await Promise.all(each.cluster.members.map(residentMiB))));
    }
    say("under calls");
    const measure = ({ asked }: { asked: Asked }): Promise<Measured> =>
      measured(generator, asked, CALLS[0], SESSIONS);
    for (const each of open) await measure(each);
    const results = await interleaved(open, quick ? 2 : 7, measure);
    return open.map((each, index) => {
      const taken = results.get(each) ?? [];
      const of = (field: "n" | "cpu"): number =>
        ((since[index]?.[field] ?? Number.NaN) - (before[index]?.[field] ?? Number.NaN)) / seconds;
      return {
        processes: each.cluster.members.length,
        callsPerSecond: median(taken.map(({ callsPerSecond }) => callsPerSecond)),
        p50: median(taken.map(({ p50 }) => p50)),
        cpuUs: cpuUsOf(taken),
        idleStatements: of("n"),
        idleCpuMs: of("cpu"),
        eachMiB: memory.get(each) ?? Number.NaN,
      };
    });
  } finally {
    generator.close();
    for (const { cluster, own } of open) {
      await cluster.close();
      await own.close();
    }
  }
}
