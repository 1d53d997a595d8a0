/**
 * The database is away for half a minute: longer than all leases, and than any client waits for an answer. Nothing that
 * was told is lost, no connection breaks, and who asks meanwhile hears in time that nobody can say.
 */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { EmbeddedPostgres } from "../../examples/cluster/embedded-postgres.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { type McpSession, openSession, post, sessionAt } from "../support/mcp.ts";
import { initialize, notification, numbersOf, textOf, toolCall, upTo } from "../support/messages.ts";
import { expectNotNow } from "../support/not-now.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";
import { storedEvents } from "../support/stored-events.ts";
import type { EventStream } from "../support/sse.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { eventually, within } from "../support/wait.ts";

const AWAY_MS = 30_000;
/** What is asked meanwhile is held for a lease that may come back, and then for what it would store. */
const ANSWERED_MS = 25_000;
/** Messages of each stream, and the pause between two: so that they begin before it is away, and end after it is back. */
const EMITTED = { count: 450, intervalMs: 100 };

vi.setConfig({ testTimeout: 180_000, hookTimeout: 90_000 });

let database: TestDatabase;
let cluster: Cluster;
beforeAll(async () => {
  vi.stubGlobal("fetch", unpooledFetch);
  database = await testDatabase("own");
  cluster = await startCluster({
    // With the lease of the defaults, a fifth of the time.
    vars: { HOLDFAST_KEEPALIVE_INTERVAL_MS: "1000" },
    runtimes: ["node", "deno", "bun"],
    database,
  });
});
afterAll(async () => {
  await cluster.close();
  await database.close();
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const urlOf = (n: number): string => cluster.members[n % cluster.members.length]?.url ?? "";

/** One client: a call that streams and a standing stream, on connections to different processes. */
interface Load {
  readonly session: McpSession;
  readonly called: EventStream;
  readonly standing: EventStream;
  readonly numbers: Promise<number[]>[];
}

async function load(n: number): Promise<Load> {
  const session = await openSession(urlOf(n));
  expect(await session.tool("counter")).toBe("1");
  const standing = await sessionAt(urlOf(n + 1), session).get();
  const called = await sessionAt(urlOf(n + 2), session).stream(toolCall("emit", EMITTED));
  await session.request(toolCall("emit", { ...EMITTED, on: "standalone" }));
  // Its connection is never silent for long, and does not break: a read would fail.
  const numbers = [called.rest().then(numbersOf), standing.messages(EMITTED.count).then(numbersOf)];
  return { session, called, standing, numbers };
}

/** The events that a client was told under an id, and those that the database has. */
async function unstored({ session, called, standing }: Load): Promise<string[]> {
  const told = [called, standing].flatMap(({ seen }) =>
    seen.flatMap((item) =>
      item.type === "event" && item.id !== undefined && item.data !== "" ? [item.id] : [],
    ),
  );
  const stored = await storedEvents(database, session.id);
  return told.filter((id) => !stored.has(id));
}

/** What is answered with a status of its own. */
async function expectUnavailable(answer: Response): Promise<void> {
  expect(answer.status).toBe(503);
  expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
  await answer.body?.cancel();
}

test("half a minute without a database", async () => {
  const loads = await Promise.all([0, 1, 2].map(load));
  const asked = await Promise.all([0, 1, 2].map((n) => openSession(urlOf(n))));
  for (const session of asked) expect(await session.tool("counter")).toBe("1");
  await eventually(() => {
    for (const { called, standing } of loads)
      for (const { text } of [called, standing]) expect(text).toContain('"n":10');
  });

  const server = database.server as EmbeddedPostgres;
  await server.kill();
  const back = sleep(AWAY_MS);
  const answered = asked.flatMap((session, n) => {
    const elsewhere = sessionAt(urlOf(n + 1), session);
    const call = toolCall("counter");
    return [
      elsewhere.post(call).then((answer) => expectNotNow(answer, call.id)),
      elsewhere.post(notification("notifications/roots/list_changed")).then(async (answer) => {
        // It may be taken before the lease has run out: it stores nothing.
        if (answer.status !== 202) await expectUnavailable(answer);
      }),
      post(`${urlOf(n)}/mcp`, initialize()).then(expectUnavailable),
    ];
  });
  await within(Promise.all(answered), "answers", ANSWERED_MS);
  const told = loads.map(({ called, standing }) => [called.text, standing.text]);
  // By now no lease holds: nothing at all is promised, not even what stores nothing.
  const late = asked.flatMap((session, n) => [
    session.fetch("GET").then(expectUnavailable),
    sessionAt(urlOf(n + 2), session)
      .fetch("DELETE")
      .then(expectUnavailable),
  ]);
  await within(Promise.all(late), "answers", ANSWERED_MS);
  await back;
  for (const [n, { called, standing }] of loads.entries()) {
    for (const [index, { text }] of [called, standing].entries()) {
      // Keepalives, and nothing else: what its tool sends meanwhile waits.
      const since = text.slice(told[n]?.[index]?.length);
      expect(since).toMatch(/^: /m);
      expect(since).not.toMatch(/^data: /m);
    }
  }
  await server.start();

  for (const each of loads) {
    for (const numbers of each.numbers) expect(await numbers).toEqual(upTo(EMITTED.count));
    expect(await unstored(each)).toEqual([]);
    each.standing.leave();
  }
  for (const { session } of loads) {
    for (const n of [0, 1, 2])
      expect(textOf(await sessionAt(urlOf(n), session).request(toolCall("counter")))).toBe(String(n + 2));
  }
  const rows = await database.query<{ claims: number }>(
    "SELECT claims::int AS claims FROM holdfast.session WHERE id = ANY ($1)",
    [loads.map(({ session }) => session.id)],
  );
  expect(rows).toEqual(loads.map(() => ({ claims: 1 })));
  expect(cluster.events().filter(({ type }) => type === "cluster.fenced" || type === "cluster.left")).toEqual(
    [],
  );
});
