/** Networks that swallow, cut and come back, between processes and to the database. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type Cluster, type Member, startCluster } from "../support/cluster.ts";
import { answerOf, openSession, sessionAt } from "../support/mcp.ts";
import { numbersOf, toolCall, upTo } from "../support/messages.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { eventually, within } from "../support/wait.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let database: TestDatabase;
let cluster: Cluster;
/** Between the others and each process, and between each process and the database. */
const towards: TcpProxy[] = [];
const stores: TcpProxy[] = [];
const members = (): readonly [Member, Member] => cluster.members as unknown as [Member, Member];

beforeAll(async () => {
  database = await testDatabase();
  const url = new URL(database.url);
  cluster = await startCluster({
    vars: { TEST_LEASE_MS: "2000" },
    runtimes: ["node", "node"],
    database,
    async through(n, port) {
      const store = (stores[n] = await startTcpProxy(Number(url.port)));
      const toward = (towards[n] = await startTcpProxy(port));
      const postgres = Object.assign(new URL(database.url), { port: String(store.port) }).href;
      return { postgres, address: `http://127.0.0.1:${toward.port}` };
    },
  });
});
afterEach(() => {
  for (const proxy of [...towards, ...stores]) proxy.heal();
});
afterAll(async () => {
  await cluster.close();
  await database.close();
  for (const proxy of [...towards, ...stores]) await proxy.close();
});

const claimsOf = async (id: string): Promise<number | undefined> =>
  (
    await database.query<{ claims: number }>(
      "SELECT claims::int AS claims FROM holdfast.session WHERE id = $1",
      [id],
    )
  )[0]?.claims;

test("between processes, cut in the middle of streams again and again: the client notices nothing", async () => {
  const [here, there] = members();
  const session = await openSession(here.url);
  const stream = await sessionAt(there.url, session).stream(toolCall("emit", { count: 200, intervalMs: 10 }));
  const numbers = numbersOf([await stream.message()]);
  for (let round = 0; round < 5; round++) {
    numbers.push(...numbersOf(await stream.messages(20)));
    towards[0]?.cut();
  }
  numbers.push(...numbersOf(await stream.rest()));
  expect(numbers).toEqual(upTo(200));
  expect(await claimsOf(session.id)).toBe(1);
});

test("between processes, swallowed: an error in time, nobody takes what is another's, and it goes on once it heals", async () => {
  const [here, there] = members();
  const session = await openSession(here.url);
  const elsewhere = sessionAt(there.url, session);
  expect(await elsewhere.tool("counter")).toBe("1");
  const standing = await elsewhere.get();
  await standing.next();
  towards[0]?.hole();
  const answer = await within(elsewhere.request(toolCall("counter")), "an answer");
  expect(answer.error).toBeDefined();
  expect(await session.tool("echo", { text: "here" })).toBe("here");
  towards[0]?.heal();
  await eventually(async () => expect(await elsewhere.tool("echo", { text: "back" })).toBe("back"));
  await session.tool("emit", { count: 3, on: "standalone" });
  expect(numbersOf(await standing.messages(3))).toEqual(upTo(3));
  standing.leave();
  expect(await claimsOf(session.id)).toBe(1);
});

test("to the database, swallowed for one process: another takes its sessions, and it takes none of that amiss", async () => {
  const [here, there] = members();
  const session = await openSession(here.url);
  const elsewhere = sessionAt(there.url, session);
  expect(await elsewhere.tool("counter")).toBe("1");
  stores[0]?.hole();
  await eventually(async () => {
    const answer = await answerOf(await elsewhere.post(toolCall("echo", { text: "taken" })));
    expect(answer.result).toBeDefined();
    expect(await claimsOf(session.id)).toBe(2);
  }, 20_000);
  expect(await elsewhere.tool("counter")).toBe("2");
  stores[0]?.heal();
  await eventually(() => expect(here.events().map(({ type }) => type)).toContain("cluster.left"), 20_000);
  // It is another node now, and passes on what is no longer its own.
  await eventually(async () => expect(await session.tool("counter")).toMatch(/^[34567]$/), 20_000);
  expect(await claimsOf(session.id)).toBe(2);
});

test("to the database, cut in the middle of flushes: all is stored once", async () => {
  const [here] = members();
  const session = await openSession(here.url);
  const stream = await session.stream(toolCall("emit", { count: 300, intervalMs: 5 }));
  const numbers = numbersOf([await stream.message()]);
  for (let round = 0; round < 8; round++) {
    numbers.push(...numbersOf(await stream.messages(20)));
    stores[0]?.cut();
  }
  numbers.push(...numbersOf(await stream.rest()));
  expect(numbers).toEqual(upTo(300));
});
