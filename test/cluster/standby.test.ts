/** A standby takes the place of the database: one that has all that was confirmed, and one that lags behind. */
import { Client } from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { EmbeddedPostgres } from "../../examples/cluster/embedded-postgres.ts";
import { lostOrDoubled, startCounter } from "../deploys/cluster.ts";
import { type Cluster, type Member, startCluster } from "../support/cluster.ts";
import { interrupted } from "../support/interrupted.ts";
import { answerOf, openSession, sessionAt } from "../support/mcp.ts";
import { numbersOf, request, toolCall, upTo } from "../support/messages.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";
import { type Standby, startStandby } from "../support/standby.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { eventually } from "../support/wait.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

let database: TestDatabase;
let cluster: Cluster;
let standby: Standby;
/** Where the processes reach the database, and where the standby reaches the primary. */
let store: TcpProxy;
let replication: TcpProxy;
const primary = (): EmbeddedPostgres => database.server as EmbeddedPostgres;
const members = (): readonly [Member, Member] => cluster.members as unknown as [Member, Member];

beforeEach(async () => {
  database = await testDatabase("own");
  [store, replication] = [await startTcpProxy(primary().port), await startTcpProxy(primary().port)];
});
afterEach(async () => {
  await cluster?.close();
  await standby?.close();
  await Promise.all([store, replication].map((proxy) => proxy.close()));
  await database.close();
});

const begin = async (isSynchronous: boolean, leaseMs: number): Promise<void> => {
  standby = await startStandby(primary(), { isSynchronous, through: replication.port });
  const postgres = Object.assign(new URL(database.url), { port: String(store.port) }).href;
  cluster = await startCluster({
    vars: { TEST_LEASE_MS: String(leaseMs) },
    runtimes: ["node", "node"],
    database,
    through: async () => ({ postgres }),
  });
};

/** The primary dies with its machine; whatever stands in front of it leads to the standby from then on. */
const failOver = async (): Promise<void> => {
  await primary().kill();
  await standby.promote();
  store.to(standby.port);
  store.cut();
};

test("a synchronous one is promoted under load: nothing that was told is lost, and no client notices but by a pause", async () => {
  await begin(true, 6000);
  const [here, there] = members();
  const session = await openSession(here.url);
  const streams = await Promise.all(
    [here.url, there.url, there.url].map((url) =>
      sessionAt(url, session).stream(toolCall("emit", { count: 1000, intervalMs: 5 })),
    ),
  );
  const counters = await Promise.all([here.url, there.url].map(startCounter));
  for (const stream of streams) expect(numbersOf(await stream.messages(20))).toEqual(upTo(20));
  await eventually(() => counters.forEach(({ told }) => expect(told.length).toBeGreaterThan(5)));
  await failOver();
  const before = counters.map(({ told }) => told.length);
  await eventually(
    () => counters.forEach(({ told }, n) => expect(told.length).toBeGreaterThan((before[n] ?? 0) + 5)),
    30_000,
  );
  for (const stream of streams) {
    const rest = await stream.rest();
    expect(numbersOf(rest)).toEqual(upTo(1000).slice(20));
    expect(rest.at(-1)?.result).toBeDefined();
  }
  for (const counter of counters) {
    await counter.stop();
    expect(await lostOrDoubled(counter)).toEqual([]);
    expect(counter.unknown).toBe(0);
  }
  expect(cluster.events().map(({ type }) => type)).not.toContain("cluster.left");
});

test("one that lags is promoted: each process says so, goes on with what is there, and nobody waits for what is gone", async () => {
  await begin(false, 2000);
  const [here, there] = members();
  const session = await openSession(here.url);
  const elsewhere = sessionAt(there.url, session);
  expect(await session.tool("counter")).toBe("1");
  await eventually(async () => {
    expect(await keysIn(standby.url, session.id)).toContain("counter");
  });
  // From here on nothing reaches the standby.
  replication.hole();
  expect(await session.tool("counter")).toBe("2");
  expect(await elsewhere.tool("counter")).toBe("3");
  const late = await openSession(there.url);
  const call = toolCall("emit", { count: 1_000_000, intervalMs: 20 });
  const stream = await elsewhere.stream(call);
  await stream.messages(10);
  await failOver();
  await eventually(() => {
    for (const member of members())
      expect(member.events().filter(({ type }) => type === "cluster.left")).toMatchObject([
        { reason: "lost" },
      ]);
  }, 30_000);
  // The call in flight ends with a word; what was told of it is gone, and so is the session that the standby never had.
  expect((await stream.rest()).at(-1)).toEqual(interrupted(call.id));
  await eventually(async () => expect((await late.post(request("ping"))).status).toBe(404), 20_000);
  expect(await session.tool("counter")).toBe("2");
  expect((await answerOf(await elsewhere.post(toolCall("echo", { text: "on" })))).result).toBeDefined();
});

/** The keys of the rows that a server holds of a session. */
async function keysIn(url: string, session: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return JSON.stringify(
      (await client.query("SELECT pk FROM holdfast.row WHERE session = $1", [session])).rows,
    );
  } finally {
    await client.end();
  }
}
