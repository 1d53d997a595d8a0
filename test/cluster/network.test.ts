/** Networks that swallow, cut and come back, between processes and to the database. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type Cluster, type Member, startCluster } from "../support/cluster.ts";
import { answerOf, openSession, sessionAt } from "../support/mcp.ts";
import { interrupted } from "../support/interrupted.ts";
import { numbersOf, textOf, toolCall, upTo } from "../support/messages.ts";
import { expectNotNow } from "../support/not-now.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";
import { type Outside, startOutside } from "../support/steps.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { eventually, within } from "../support/wait.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let database: TestDatabase;
let cluster: Cluster;
let outside: Outside;
/** Between the others and each process, and between each process and the database. */
const towards: TcpProxy[] = [];
const stores: TcpProxy[] = [];
const members = (): readonly [Member, Member] => cluster.members as unknown as [Member, Member];

beforeAll(async () => {
  database = await testDatabase();
  outside = await startOutside();
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
  await outside.close();
  for (const proxy of [...towards, ...stores]) await proxy.close();
});

const claimsOf = async (id: string): Promise<number | undefined> =>
  (
    await database.query<{ claims: number }>(
      "SELECT claims::int AS claims FROM holdfast.session WHERE id = $1",
      [id],
    )
  )[0]?.claims;

/** How connections come to their end. */
const ENDS = [
  ["cut in the middle of", "cut"],
  ["closed in order under", "finish"],
] as const;

test.each(ENDS)(
  "between processes, %s streams again and again: the client notices nothing",
  async (_, end) => {
    const [here, there] = members();
    const session = await openSession(here.url);
    const stream = await sessionAt(there.url, session).stream(
      toolCall("emit", { count: 200, intervalMs: 10 }),
    );
    const numbers = numbersOf([await stream.message()]);
    for (let round = 0; round < 5; round++) {
      numbers.push(...numbersOf(await stream.messages(20)));
      towards[0]?.[end]();
    }
    numbers.push(...numbersOf(await stream.rest()));
    expect(numbers).toEqual(upTo(200));
    expect(await claimsOf(session.id)).toBe(1);
  },
);

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

test.each(["there", "back"] as const)(
  "between processes, one way (%s) swallowed in the middle of a stream: it is dialled anew, and the client has all of it",
  async (way) => {
    const [here, there] = members();
    const session = await openSession(here.url);
    const stream = await sessionAt(there.url, session).stream(
      toolCall("emit", { count: 100, intervalMs: 20 }),
    );
    const numbers = numbersOf(await stream.messages(10));
    const failedOf = (member: Member): number =>
      member.events().filter(({ type }) => type === "cluster.forward_failed").length;
    const failed = failedOf(there);
    towards[0]?.hole(way);
    // Whoever hears nothing takes the connection for broken, and dials in vain; who is not heard goes on.
    if (way === "back") await eventually(() => expect(failedOf(there)).toBeGreaterThan(failed), 25_000);
    else numbers.push(...numbersOf(await stream.messages(50)));
    towards[0]?.heal();
    numbers.push(...numbersOf(await stream.rest()));
    expect(numbers).toEqual(upTo(100));
    expect(await claimsOf(session.id)).toBe(1);
  },
);

test("between processes, a request torn in two: its tool has not run, and the client is told so", async () => {
  const [here, there] = members();
  const session = await openSession(here.url);
  const elsewhere = sessionAt(there.url, session);
  expect(await elsewhere.tool("echo", { text: "there" })).toBe("there");
  const watched = outside.watch();
  const torn = towards[0]?.tear("there", "/cluster/post");
  const call = toolCall("stepped", { at: watched.at });
  expect(await within(elsewhere.request(call), "an answer")).toEqual(interrupted(call.id));
  await torn;
  expect(watched.runs).toBe(0);
  expect(await elsewhere.tool("stepped", { at: watched.at })).toBe("stepped 1");
});

test("between processes, an answer torn in two: the tool has run once, and the client is told nothing of the half", async () => {
  const [here, there] = members();
  const session = await openSession(here.url);
  const elsewhere = sessionAt(there.url, session);
  const watched = outside.watch();
  watched.hold("running");
  const stream = await elsewhere.stream(toolCall("stepped", { at: watched.at }));
  expect(numbersOf(await stream.messages(1))).toEqual([1]);
  const torn = towards[0]?.tear("back", "/cluster/post");
  watched.release();
  expect((await stream.rest()).map(textOf)).toEqual(["stepped 1"]);
  await torn;
  expect(watched.runs).toBe(1);
});

test.each(["there", "back"] as const)(
  "to the database, a flush torn in two on its way %s: what it stores is stored once",
  async (way) => {
    const [here] = members();
    const session = await openSession(here.url);
    expect(await session.tool("counter")).toBe("1");
    const torn = stores[0]?.tear(way, "WITH fence AS");
    expect(await session.tool("counter")).toBe("2");
    await torn;
    expect(await session.tool("counter")).toBe("3");
    expect(await claimsOf(session.id)).toBe(1);
  },
);

test("to the database, swallowed for all of them: told in time that nobody can say, and nobody takes what is another's", async () => {
  const [here, there] = members();
  const session = await openSession(here.url);
  const elsewhere = sessionAt(there.url, session);
  expect(await elsewhere.tool("counter")).toBe("1");
  for (const store of stores) store.hole();
  const asked = [session, elsewhere].map(async (by) => {
    const call = toolCall("counter");
    await expectNotNow(await by.post(call), call.id);
  });
  await within(Promise.all(asked), "answers", 20_000);
  for (const store of stores) store.heal();
  await eventually(async () => expect(await elsewhere.tool("counter")).toMatch(/^[2345]$/), 20_000);
  expect(await claimsOf(session.id)).toBe(1);
});

test.each(ENDS)("to the database, %s flushes: all is stored once", async (_, end) => {
  const [here] = members();
  const session = await openSession(here.url);
  const stream = await session.stream(toolCall("emit", { count: 300, intervalMs: 5 }));
  const numbers = numbersOf([await stream.message()]);
  for (let round = 0; round < 8; round++) {
    numbers.push(...numbersOf(await stream.messages(20)));
    stores[0]?.[end]();
  }
  numbers.push(...numbersOf(await stream.rest()));
  expect(numbers).toEqual(upTo(300));
});
