/** Sessions that nobody uses, in a cluster: what they take in the database and in processes, and what looking after them costs. @module */
import { openPg } from "../../src/cluster/pg.ts";
import { postgresEngine } from "../../src/cluster/postgres.ts";
import { openSession } from "../../test/support/mcp.ts";
import { toolCall } from "../../test/support/messages.ts";
import { type TestDatabase, testDatabase } from "../../test/support/postgres.ts";
import { benchCluster, REPORTED_MS, residentMiB, statements } from "./cluster.ts";
import type { Context } from "./part.ts";
import { median } from "./stats.ts";

/** With so many sessions asleep. */
export interface SleepRow {
  sleeping: number;
  bytesEach: number;
  processMiB: number;
  /** A second, of two processes at rest. */
  statements: number;
  /** The look for alarms that nobody rings. */
  dueMs: number;
  /** The count of all sessions. */
  countMs: number;
  /** A call to a session that is in no process's memory. */
  wakeMs: number;
}

/** Sessions that are opened, used and left; all others are copies of the first in the database. */
const REAL = 20;
const EVICT_MS = 1000;
const LOOKS = 50;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function timed(times: number, body: () => Promise<unknown>): Promise<number> {
  const taken: number[] = [];
  for (let n = 0; n < times; n++) {
    const from = performance.now();
    await body();
    taken.push(performance.now() - from);
  }
  return median(taken);
}

/** Waits until no session is anybody's. */
async function asleep(database: TestDatabase): Promise<void> {
  for (;;) {
    const awake = await database.query("SELECT 1 FROM holdfast.session WHERE owner IS NOT NULL LIMIT 1");
    if (awake.length === 0) return;
    await sleep(100);
  }
}

/** Copies of one session, under ids that nobody has issued. */
async function copies(database: TestDatabase, of: string, count: number): Promise<void> {
  await database.query(
    `INSERT INTO holdfast.session (id, owner, claims, schema, status, principal, alarm)
      SELECT md5(n::text) || md5('id' || n::text), NULL, claims, schema, status, principal, alarm + n
        FROM holdfast.session, generate_series(1, $2::int) AS n WHERE id = $1`,
    [of, count],
  );
  await database.query(
    `INSERT INTO holdfast.row (session, tbl, pk, data)
      SELECT md5(n::text) || md5('id' || n::text), tbl, pk, data
        FROM holdfast.row, generate_series(1, $2::int) AS n WHERE session = $1`,
    [of, count],
  );
  await database.query("VACUUM ANALYZE holdfast.session, holdfast.row");
}

export async function sleeping(server: TestDatabase, { quick, say }: Context): Promise<SleepRow[]> {
  const database = await testDatabase(server.url);
  const cluster = await benchCluster(database, 2, { BENCH_EVICT_MS: String(EVICT_MS) });
  const engine = postgresEngine(await openPg(database.url, () => {}));
  const [member] = cluster.members;
  try {
    const sessions = await Promise.all(Array.from({ length: REAL }, () => openSession(member.url)));
    for (const session of sessions) await session.tool("count");
    const size = async (): Promise<number> => {
      const [row] = await database.query<{ size: number }>(
        "SELECT (pg_total_relation_size('holdfast.session') + pg_total_relation_size('holdfast.row'))::float8 AS size",
      );
      return row?.size ?? Number.NaN;
    };
    const rows: SleepRow[] = [];
    for (const count of [0, quick ? 10_000 : 100_000]) {
      await asleep(database);
      const before = await size();
      if (count > 0) {
        say(`${count} sleeping sessions`);
        await copies(database, sessions[0]?.id ?? "", count - REAL);
      }
      const held = await size();
      const seconds = quick ? 8 : 20;
      await sleep(REPORTED_MS);
      const [asked, processMiB] = [await statements(database), await residentMiB(member)];
      await sleep(seconds * 1000);
      const perSecond = ((await statements(database)) - asked) / seconds;
      const what = { schema: 1_000_000, guests: true, limit: 50 };
      const dueMs = await timed(LOOKS, () => engine.due("nobody", what));
      const countMs = await timed(5, () => engine.count(undefined, 10_000_000));
      const waking = sessions.values();
      const wakeMs = await timed(REAL, async () => {
        const answer = await waking.next().value?.post(toolCall("echo", { text: "awake" }));
        if (!(await answer?.text())?.includes("awake")) throw new Error("a sleeping session does not wake");
      });
      rows.push({
        sleeping: count === 0 ? REAL : count,
        bytesEach: count === 0 ? Number.NaN : (held - before) / (count - REAL),
        processMiB,
        statements: perSecond,
        dueMs,
        countMs,
        wakeMs,
      });
    }
    return rows;
  } finally {
    await engine.close();
    await cluster.close();
    await database.close();
  }
}
