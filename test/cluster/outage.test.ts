/** After an outage of the database all leases have run out: whoever is back first leaves the others the time to come back. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Cluster, type Member, startCluster } from "../support/cluster.ts";
import { openSession, sessionAt } from "../support/mcp.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { eventually } from "../support/wait.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let database: TestDatabase;
let cluster: Cluster;
const towards: TcpProxy[] = [];
const stores: TcpProxy[] = [];

beforeAll(async () => {
  database = await testDatabase();
  const { port: databasePort } = new URL(database.url);
  cluster = await startCluster({
    runtimes: ["node", "node"],
    database,
    async through(n, port) {
      const store = (stores[n] = await startTcpProxy(Number(databasePort)));
      const toward = (towards[n] = await startTcpProxy(port));
      const postgres = Object.assign(new URL(database.url), { port: String(store.port) }).href;
      return { postgres, address: `http://127.0.0.1:${toward.port}` };
    },
  });
});
afterAll(async () => {
  await cluster.close();
  await database.close();
  for (const proxy of [...towards, ...stores]) await proxy.close();
});

/** Which processes' leases have run out, by the database's clock. */
const lapsed = async (): Promise<boolean[]> => {
  const rows = await database.query<{ address: string; lapsed: boolean }>(
    "SELECT address, expires < now() AS lapsed FROM holdfast.node WHERE alive",
  );
  return towards.map(({ port }) => rows.find(({ address }) => address.includes(`:${port}`))?.lapsed ?? true);
};

test("nobody is ended by whoever is back before him", async () => {
  const [first, last] = cluster.members as [Member, Member];
  const session = await openSession(last.url);
  for (const store of stores) store.hole();
  await eventually(async () => expect(await lapsed()).toEqual([true, true]), 20_000);
  stores[0]?.heal();
  await eventually(async () => expect(await lapsed()).toEqual([false, true]), 20_000);
  // It has never been asked for that session, and finds that the lease of its process has run out.
  towards[1]?.hole("there");
  const asked = sessionAt(first.url, session).tool("counter");
  await eventually(() => expect(towards[1]?.held).toContain("/cluster/post"));
  stores[1]?.heal();
  towards[1]?.heal();
  expect(await asked).toBe("1");
  const [row] = await database.query("SELECT claims::int AS claims FROM holdfast.session WHERE id = $1", [
    session.id,
  ]);
  expect(row).toEqual({ claims: 1 });
  expect(cluster.events().filter(({ type }) => type === "cluster.fenced" || type === "cluster.left")).toEqual(
    [],
  );
});
