/** The database that processes share goes away, comes back, or holds less than it did. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { clusterHost } from "../../src/cluster/host.ts";
import { createMcpRouter } from "../../src/router.ts";
import { askedEngine } from "../support/asked-engine.ts";
import { type Cluster, type Member, startCluster } from "../support/cluster.ts";
import { answerOf, type McpSession, openSession, sessionAt } from "../support/mcp.ts";
import { initialize, notification, numbersOf, toolCall, upTo } from "../support/messages.ts";
import type { EmbeddedPostgres } from "../../examples/cluster/embedded-postgres.ts";
import { type TestDatabase, testDatabase } from "../support/postgres.ts";
import { storedEvents } from "../support/stored-events.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";

vi.setConfig({ testTimeout: 90_000 });

let database: TestDatabase;
let cluster: Cluster;
const start = async (leaseMs: number): Promise<readonly [Member, Member]> => {
  cluster = await startCluster({
    vars: { TEST_LEASE_MS: String(leaseMs) },
    runtimes: ["node", "node"],
    database,
  });
  return cluster.members as [Member, Member];
};
const server = (): EmbeddedPostgres => database.server as EmbeddedPostgres;
beforeEach(async () => {
  database = await testDatabase("own");
});
afterEach(async () => {
  await cluster?.close();
  await database.close();
});

const claimsOf = async ({ id }: McpSession): Promise<number | undefined> =>
  (
    await database.query<{ claims: number }>(
      "SELECT claims::int AS claims FROM holdfast.session WHERE id = $1",
      [id],
    )
  )[0]?.claims;

describe("a server of Postgres", () => {
  test("is killed in the midst of flushes and started again: nobody notices but by a pause", async () => {
    const [here, there] = await start(6000);
    const session = await openSession(here.url);
    const streams = await Promise.all(
      [here.url, there.url, there.url].map((url) =>
        sessionAt(url, session).stream(toolCall("emit", { count: 400, intervalMs: 5 })),
      ),
    );
    for (const stream of streams) await stream.message();
    for (let round = 0; round < 3; round++) {
      await server().kill();
      await server().start();
    }
    for (const stream of streams) expect(numbersOf(await stream.rest())).toEqual(upTo(400).slice(1));
    const told = streams.flatMap((stream) =>
      stream.seen.flatMap((item) => (item.type === "event" && item.id !== undefined ? [item.id] : [])),
    );
    const stored = await storedEvents(database, session.id);
    expect(told.filter((id) => !id.endsWith(".0") && !stored.has(id))).toEqual([]);
    expect(await claimsOf(session)).toBe(1);
  });

  test("is away for longer than a lease: nothing is told that it does not have, and nobody loses what is his", async () => {
    const [here, there] = await start(3000);
    const session = await openSession(here.url);
    expect(await session.tool("counter")).toBe("1");
    // From here on the other knows whose it is.
    expect(await sessionAt(there.url, session).tool("echo", { text: "there" })).toBe("there");
    await server().kill();
    // Of what stores nothing nobody is asked, until the lease has run out.
    expect(await session.tool("echo", { text: "still" })).toBe("still");
    const answers = await Promise.all([
      session.post(toolCall("counter")),
      sessionAt(there.url, session).post(toolCall("counter")),
    ]);
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({
        error: { message: expect.stringContaining("did not confirm") },
      });
    }
    const late = await answerOf(await session.post(toolCall("echo", { text: "late" })));
    expect(late.error?.["message"]).toContain("did not confirm");
    await server().start();
    await eventually(async () => expect(await session.tool("echo", { text: "again" })).toBe("again"));
    // Run, though nobody could say so.
    expect(await sessionAt(there.url, session).tool("counter")).toBe("4");
    expect(await claimsOf(session)).toBe(1);
    expect(
      cluster.events().filter(({ type }) => type === "cluster.fenced" || type === "cluster.left"),
    ).toEqual([]);
  });

  test("holds less than it has confirmed: the process says so, and goes on with what is there", async () => {
    const [here] = await start(1500);
    const session = await openSession(here.url);
    expect(await session.tool("counter")).toBe("1");
    const [{ owner = "" } = {}] = await database.query<{ owner: string }>(
      "SELECT owner FROM holdfast.session WHERE id = $1",
      [session.id],
    );
    const stale = await database.query<{ pk: string; data: string }>(
      "SELECT pk, data FROM holdfast.row WHERE session = $1 AND tbl = 'entry'",
      [session.id],
    );
    expect(await session.tool("counter")).toBe("2");
    // As a standby that lagged would have it.
    await database.query(
      `WITH back AS (UPDATE holdfast.row SET data = $2 WHERE session = $1 AND tbl = 'entry')
        UPDATE holdfast.node SET flush = flush - 2 WHERE id = $3`,
      [session.id, stale[0]?.data, owner],
    );
    await eventually(() =>
      expect(here.events().filter(({ type }) => type === "cluster.left")).toMatchObject([{ reason: "lost" }]),
    );
    expect(await session.tool("counter")).toBe("2");
  });
});

test("a quick call on its owner asks the database nothing", async () => {
  const { engine, asked } = await askedEngine(database.url);
  // Looks at the others, and renewals, come once in so long and have nothing to do with calls.
  const host = await clusterHost(engine, {
    createServer: createTestServer,
    address: "http://127.0.0.1:1",
    leaseMs: 600_000,
  });
  try {
    const router = createMcpRouter({ host, hub: host.hub });
    const send = (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
      Promise.resolve(
        router.fetch(
          new Request("http://127.0.0.1/mcp", {
            method: "POST",
            headers: {
              "content-type": "application/json",
              accept: "application/json, text/event-stream",
              ...headers,
            },
            body: JSON.stringify(body),
          }),
        ),
      );
    const opened = await send(initialize());
    const headers = { "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" };
    await send(notification("notifications/initialized"), headers);
    asked.length = 0;
    for (let n = 0; n < 100; n++) {
      expect((await answerOf(await send(toolCall("echo", { text: "x" }), headers))).result).toBeDefined();
    }
    const LOOKS = ["members", "due", "count", "sweep", "fence"];
    expect(asked.filter((name) => !LOOKS.includes(name))).toEqual([]);
    // The count counts.
    await send(toolCall("counter"), headers);
    expect(asked.filter((name) => !LOOKS.includes(name))).toEqual(["flush"]);
  } finally {
    await host.close();
  }
});
