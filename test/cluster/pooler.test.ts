/** Behind a pooler that pools transactions: nothing rests on what a connection would keep. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Client } from "pg";
import { type Cluster, type Member, startCluster } from "../support/cluster.ts";
import { openSession, sessionAt } from "../support/mcp.ts";
import { numbersOf, toolCall, upTo } from "../support/messages.ts";
import { type Pooler, startPooler } from "../support/pooler.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";
import { taskClient, textIn } from "../support/tasks.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let database: TestDatabase;
let pooler: Pooler;
let cluster: Cluster;
const urlOf = (): string => Object.assign(new URL(database.url), { port: String(pooler.port) }).href;
beforeAll(async () => {
  vi.stubGlobal("fetch", unpooledFetch);
  database = await testDatabase();
  pooler = await startPooler(new URL(database.url));
  cluster = await startCluster({
    vars: { TEST_LEASE_MS: "2000", TEST_RERUN: "task_steps" },
    runtimes: ["node", "node"],
    database,
    through: async () => ({ postgres: urlOf() }),
  });
});
afterAll(async () => {
  await cluster?.close();
  await pooler?.close();
  await database.close();
});

test("sessions, streams, tasks and a take-over", async () => {
  const [here, there] = cluster.members as unknown as [Member, Member];
  const session = await openSession(here.url);
  const elsewhere = sessionAt(there.url, session);
  for (let n = 1; n <= 20; n++) expect(await (n % 2 ? session : elsewhere).tool("counter")).toBe(String(n));
  const streams = await Promise.all(
    [here.url, there.url].map((url) => sessionAt(url, session).stream(toolCall("emit", { count: 200 }))),
  );
  for (const stream of streams) expect(numbersOf(await stream.rest())).toEqual(upTo(200));
  const client = taskClient(() => there.url);
  const { taskId } = await taskClient(() => here.url).start("task_steps", {
    count: 5,
    ms: 300,
    tag: "pooled",
  });
  await here.end("SIGKILL");
  expect(await elsewhere.tool("counter")).toBe("21");
  const task = await client.until(taskId, "completed", 30_000);
  expect(JSON.parse(textIn(task) ?? "")).toMatchObject({ done: 5 });
  expect(
    cluster.events().filter(({ type }) => type === "cluster.unreachable" || type === "cluster.left"),
  ).toEqual([]);
});

test("and it was one: a client's transactions go to one connection and another", async () => {
  const [one, other] = [new Client({ connectionString: urlOf() }), new Client({ connectionString: urlOf() })];
  await Promise.all([one.connect(), other.connect()]);
  try {
    const seen = new Set<unknown>();
    for (let n = 0; n < 8; n++) {
      seen.add((await one.query("SELECT pg_backend_pid() AS pid")).rows[0]?.pid);
      // Takes what was free, and holds it.
      await other.query("BEGIN");
      await other.query("SELECT 1");
      seen.add((await one.query("SELECT pg_backend_pid() AS pid")).rows[0]?.pid);
      await other.query("COMMIT");
    }
    expect(seen.size).toBeGreaterThan(1);
  } finally {
    await Promise.all([one.end(), other.end()]);
  }
});
