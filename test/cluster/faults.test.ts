/** Processes that end, stop, start and leave, and a database that goes away: nothing that was told is lost. */
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type Cluster, type Member, startCluster } from "../support/cluster.ts";
import { interrupted, LONG, resumable } from "../support/interrupted.ts";
import { answerOf, type McpSession, openSession, post, sessionAt } from "../support/mcp.ts";
import { type Message, numbersOf, request, toolCall, upTo } from "../support/messages.ts";
import { call as callModern, listen } from "../support/modern.ts";
import type { EventStream } from "../support/sse.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { testDatabase } from "../support/postgres.ts";
import { eventually } from "../support/wait.ts";

const VARS = {
  TEST_LEASE_MS: "1500",
  HOLDFAST_RETRY_MS: "100",
  TEST_RERUN: "bulk",
  TEST_AUTH: "on",
  TEST_SESSION_KEY: "conversation",
};
const ANN = { Authorization: "Bearer ann:1" };

vi.setConfig({ testTimeout: 60_000 });

let cluster: Cluster;
beforeAll(async () => {
  // No request fails on a socket to a process that is gone.
  vi.stubGlobal("fetch", unpooledFetch);
  cluster = await startCluster({ vars: VARS });
});
afterAll(() => cluster.close());
beforeEach(async () => {
  // Whoever a test has ended is there again.
  for (const member of cluster.members) if (!isRunning(member)) await member.start();
});

function isRunning({ pid }: Member): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const [A, B, C] = [0, 1, 2];
const at = (n: number): Member => cluster.members[n] as Member;

/** A session that one process has, as it is reached by another. */
const opened = async (owner: number, by: number): Promise<McpSession> => {
  const session = await openSession(at(owner).url, { headers: ANN });
  expect(await cluster.ownerOf(session.id)).toBe(at(owner));
  return sessionAt(at(by).url, session);
};

/** The messages up to where the connection breaks, by whatever word. */
async function untilCut(stream: EventStream): Promise<Message[]> {
  const found: Message[] = [];
  for (;;) {
    try {
      found.push(await stream.message());
    } catch (error) {
      expect(String(error)).toContain("aborted");
      return found;
    }
  }
}

describe("any process", () => {
  test("answers for any session; who has it does not change by that", async () => {
    const session = await opened(A, B);
    for (const by of [A, B, C])
      expect(await sessionAt(at(by).url, session).tool("counter")).toBe(String(by + 1));
    const stream = await sessionAt(at(C).url, session).stream(toolCall("emit", { count: 300 }));
    expect(numbersOf(await stream.rest())).toEqual(upTo(300));
    expect(await cluster.ownerOf(session.id)).toBe(at(A));
    expect((await sessionAt(at(B).url, session).fetch("DELETE")).status).toBe(204);
    for (const by of [A, B, C]) {
      expect((await sessionAt(at(by).url, session).post(request("ping"))).status).toBe(404);
    }
    expect(
      await cluster.database.query("SELECT 1 FROM holdfast.row WHERE session = $1", [session.id]),
    ).toEqual([]);
  });

  test("tells tools who calls, with what was shown at the door", async () => {
    const session = await opened(A, B);
    const who = await answerOf(
      await session.post(toolCall("auth_info"), { "X-Resource": "https://r.example/x", "X-Scopes": "a b" }),
    );
    expect(JSON.stringify(who.result)).toContain('isUrl\\":true');
    const bob = await session.post(request("ping"), { Authorization: "Bearer bob:1" });
    expect(bob.status).toBe(404);
  });

  test("knows a forged id without asking anybody", async () => {
    const session = await opened(A, A);
    const forged = session.id.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    const answer = await post(`${at(B).url}/mcp`, request("ping"), {
      ...session.headers,
      "Mcp-Session-Id": forged,
    });
    expect(answer.status).toBe(404);
    expect(await cluster.database.query("SELECT 1 FROM holdfast.session WHERE id = $1", [forged])).toEqual(
      [],
    );
  });

  test("refuses what does not bear the cluster's signature, whatever it asks", async () => {
    const session = await opened(A, A);
    const [{ id = "" } = {}] = await cluster.database.query<{ id: string }>(
      "SELECT owner AS id FROM holdfast.session WHERE id = $1",
      [session.id],
    );
    for (const asked of ["post", "attach", "terminate", "publish", "nothing"]) {
      const answer = await fetch(`${at(A).url}/cluster/${asked}`, {
        method: "POST",
        headers: {
          "holdfast-node": id,
          "holdfast-session": session.id,
          "holdfast-digest": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
          "holdfast-signature": "0".repeat(64),
        },
      });
      expect(answer.status).toBe(404);
    }
    expect(await session.tool("echo", { text: "still here" })).toBe("still here");
  });

  test("finds the one session of a conversation, whoever is asked first, and when all are asked at once", async () => {
    const key = crypto.randomUUID();
    const ask = (by: number): Promise<Response> =>
      post(
        `${at(by % 3).url}/mcp`,
        request("tools/call", { name: "counter", arguments: {}, _meta: { "openai/session": key } }),
        { ...ANN, "MCP-Protocol-Version": "2025-06-18" },
      );
    const answers = await Promise.all(
      upTo(9).map(async (n) => JSON.stringify((await answerOf(await ask(n))).result)),
    );
    const values = answers.map((answer) => Number(/"text":"(\d+)"/.exec(answer)?.[1]));
    expect(values.toSorted((a, b) => a - b)).toEqual(upTo(9));
  });

  test("keeps a user's state for all", async () => {
    const name = crypto.randomUUID();
    const sessions = [await opened(A, A), await opened(B, B), await opened(C, C)];
    await Promise.all(
      sessions.flatMap((session) => [1, 2].map(() => session.tool("tally", { name, by: 1 }))),
    );
    expect(await sessions[0]?.tool("tally", { name, op: "get" })).toBe("6");
  });
});

describe("changes", () => {
  test("reach those who listen and those who subscribed, in every process, once and in order", async () => {
    const uri = `test://cluster/${crypto.randomUUID()}`;
    const listeners = await Promise.all(
      [A, B, C].map((by) => listen(at(by).url, { resourceSubscriptions: [uri] }, { headers: ANN })),
    );
    const subscribed = await Promise.all([opened(A, B), opened(B, C), opened(C, A)]);
    const streams = await Promise.all(subscribed.map((session) => session.get()));
    for (const session of subscribed) await session.request(request("resources/subscribe", { uri }));
    await callModern(at(B).url, "publish", { uri, to: 20 }, ANN);
    for (const stream of [...listeners, ...streams]) {
      const told = await stream.messages(20);
      expect(told.map(({ params }) => params?.["n"])).toEqual(upTo(20));
      stream.leave();
    }
  });
});

describe("the owner is killed", () => {
  test("an idle session goes on, by whoever is asked", async () => {
    const session = await opened(A, B);
    expect(await session.tool("counter")).toBe("1");
    await at(A).end("SIGKILL");
    expect(await session.tool("counter")).toBe("2");
    expect(await cluster.ownerOf(session.id)).toBe(at(B));
    await eventually(() =>
      expect(
        at(B)
          .events()
          .map(({ type }) => type),
      ).toContain("cluster.fenced"),
    );
  });

  test("a client of another process keeps its connection: a call in flight gets one error, the rest goes on", async () => {
    const session = await opened(A, B);
    const standing = await session.get();
    const call = toolCall("emit", { count: 1_000_000, intervalMs: 10 });
    const stream = await session.stream(call);
    for (let n = 0; n < 5; n++) await stream.message();
    await at(A).end("SIGKILL");
    const rest = await stream.rest();
    expect(rest.at(-1)).toEqual(interrupted(call.id));
    expect(rest.filter(({ error }) => error !== undefined)).toHaveLength(1);
    const numbers = numbersOf(rest);
    expect(numbers).toEqual(upTo(numbers.length + 5).slice(5));
    await session.tool("emit", { count: 3, on: "standalone" });
    expect(numbersOf(await standing.messages(3))).toEqual(upTo(3));
    standing.leave();
  });

  test("its own client comes back to any other, and misses nothing", async () => {
    const session = await opened(A, A);
    const call = toolCall("emit", { count: 1_000_000, intervalMs: 10 });
    const stream = await session.stream(call);
    const seen = [await stream.message(), await stream.message()];
    const broken = untilCut(stream);
    await at(A).end("SIGKILL");
    seen.push(...(await broken));
    const resumed = await sessionAt(at(C).url, session).get(stream.lastEventId);
    const all = [...seen, ...(await resumed.rest())];
    expect(all.at(-1)).toEqual(interrupted(call.id));
    expect(numbersOf(all)).toEqual(upTo(all.length - 1));
  });

  test("what may run again does, for the client that waits", async () => {
    const session = await opened(A, B);
    const call = toolCall("bulk", { size: 5, ms: 1500 });
    const stream = await session.stream(call);
    await resumable(stream);
    await at(A).end("SIGKILL");
    expect(JSON.stringify((await stream.rest()).at(-1))).toContain("bbbbb");
  });

  test("with the edge: whoever is left has it all", async () => {
    const session = await opened(A, B);
    const call = toolCall("emit", { count: 1_000_000, intervalMs: 10 });
    const stream = await session.stream(call);
    const seen = [await stream.message()];
    const broken = untilCut(stream);
    await Promise.all([at(A).end("SIGKILL"), at(B).end("SIGKILL")]);
    seen.push(...(await broken));
    const resumed = await sessionAt(at(C).url, session).get(stream.lastEventId);
    const all = [...seen, ...(await resumed.rest())];
    expect(all.at(-1)).toEqual(interrupted(call.id));
    expect(numbersOf(all)).toEqual(upTo(all.length - 1));
  });
});

test("the edge alone is killed: the call goes on, its answer waits for whoever comes back", async () => {
  const session = await opened(A, B);
  const call = toolCall("emit", { count: 100, intervalMs: 10 });
  const stream = await session.stream(call);
  const seen = [await stream.message()];
  const broken = untilCut(stream);
  await at(B).end("SIGKILL");
  seen.push(...(await broken));
  const resumed = await sessionAt(at(C).url, session).get(stream.lastEventId);
  const all = [...seen, ...(await resumed.rest())];
  expect(numbersOf(all)).toEqual(upTo(100));
  expect(all.at(-1)?.result).toBeDefined();
  expect(await cluster.ownerOf(session.id)).toBe(at(A));
});

test("one that is told to end hands its sessions over: nobody waits for a lease, clients elsewhere notice nothing", async () => {
  const session = await opened(A, B);
  const standing = await session.get();
  await standing.next();
  const call = toolCall("sleep", LONG);
  const stream = await session.stream(call);
  await resumable(stream);
  await at(A).end("SIGTERM");
  expect((await stream.rest()).at(-1)).toEqual(interrupted(call.id));
  await session.tool("emit", { count: 3, on: "standalone" });
  expect(numbersOf(await standing.messages(3))).toEqual(upTo(3));
  standing.leave();
  const rows = await cluster.database.query("SELECT 1 FROM holdfast.node WHERE alive AND address = $1", [
    at(A).url,
  ]);
  expect(rows).toEqual([]);
  expect(
    at(B)
      .events()
      .filter(({ type }) => type === "cluster.fenced")
      .map(({ address }) => address),
  ).not.toContain(at(A).url);
});

test("a session's time is up though nobody has it: whoever looks first ends it", async () => {
  const own = await testDatabase(cluster.database.url);
  const short = await startCluster({
    vars: {
      ...VARS,
      HOLDFAST_SESSION_TTL_MS: "2000",
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "500",
      HOLDFAST_RECOVERY: "spec",
    },
    runtimes: ["node", "node"],
    database: own,
  });
  try {
    const [first, second] = short.members;
    const session = await openSession(first?.url ?? "", { headers: ANN });
    await first?.end("SIGKILL");
    await eventually(async () => {
      const rows = await own.query("SELECT 1 FROM holdfast.session WHERE id = $1", [session.id]);
      expect(rows).toEqual([]);
    });
    expect((await sessionAt(second?.url ?? "", session).post(request("ping"))).status).toBe(404);
  } finally {
    await short.close();
    await own.close();
  }
});

test("a session that a later version stored goes to nobody who cannot read it, and is left as it is", async () => {
  const session = await opened(A, B);
  await session.tool("counter");
  await at(A).end("SIGTERM");
  await cluster.database.query("UPDATE holdfast.session SET schema = 99 WHERE id = $1", [session.id]);
  const answer = await session.post(request("ping"));
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([200, null]);
  expect(JSON.stringify(await answer.json())).toContain("stored by a later version");
  await cluster.database.query("UPDATE holdfast.session SET schema = 2 WHERE id = $1", [session.id]);
  expect(await session.tool("counter")).toBe("2");
});

test("clocks that are minutes apart change nothing", async () => {
  const skewed = await startCluster({ vars: VARS, runtimes: ["node", "node"], database: cluster.database });
  try {
    const [first, second] = skewed.members as [Member, Member];
    await second.end("SIGKILL");
    await second.start({ TEST_CLOCK_SKEW_MS: "600000" });
    const session = await openSession(first.url, { headers: ANN });
    const there = sessionAt(second.url, session);
    expect(await there.tool("counter")).toBe("1");
    await first.end("SIGKILL");
    expect(await there.tool("counter")).toBe("2");
    const [row] = await cluster.database.query<{ ahead: number }>(
      `SELECT (data::json ->> 'seen')::float8 - extract(epoch FROM now()) * 1000 AS ahead FROM holdfast.row
        WHERE session = $1 AND tbl = 'session'`,
      [session.id],
    );
    expect(Math.abs(row?.ahead ?? Infinity)).toBeLessThan(60_000);
  } finally {
    await skewed.close();
  }
});
