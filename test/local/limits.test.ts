/** How many sessions a host has room for: in all, of one principal, in memory; and that places are free again. */
import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createLocalMcp, type LocalMcp, type LocalMcpOptions } from "../../src/local/index.ts";
import { openSession, post } from "../support/mcp.ts";
import { initialize, type Message, notification, request, upTo } from "../support/messages.ts";
import { expectNotNow, notNow } from "../support/not-now.ts";
import { run } from "../support/process.ts";
import { readEvents } from "../support/sse.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";
import { ask, freshFile, open, served } from "./served.ts";

const HOUR = 3_600_000;

/** A host without a server between, for tests with a time of their own. Callers are who `x-user` says. */
function host(options: Partial<LocalMcpOptions> = {}): LocalMcp & { events: { type: string }[] } {
  const events: { type: string }[] = [];
  const mcp = createLocalMcp({
    createServer: createTestServer,
    onEvent: (event) => events.push(event),
    authorize: (request) => ({ principal: request.headers.get("x-user") ?? "nobody" }),
    ...options,
  });
  onTestFinished(() => mcp.close());
  return { ...mcp, events };
}

const HEADERS = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" };

const start = ({ router }: LocalMcp, user: string, id = 1): Promise<Response> =>
  Promise.resolve(
    router.request("/mcp", {
      method: "POST",
      headers: { ...HEADERS, "x-user": user },
      body: JSON.stringify({ ...initialize(), id }),
    }),
  );

const idOf = (response: Response): string => response.headers.get("mcp-session-id") ?? "";

async function expectRefused(response: Response, status: number, id: number): Promise<void> {
  expect(response.status).toBe(status);
  expect(response.headers.get("retry-after")).toBe("60");
  expect(response.headers.has("mcp-session-id")).toBe(false);
  expect(await response.json()).toMatchObject({ jsonrpc: "2.0", id, error: { code: -32000 } });
}

describe("sessions", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("above maxSessions are refused with 503, and the limit is told of once", async () => {
    const mcp = host({ maxSessions: 3 });
    for (const user of ["a", "b", "c"]) expect((await start(mcp, user)).status).toBe(200);
    await expectRefused(await start(mcp, "d", 7), 503, 7);
    const stream = await mcp.router.request("/sse", { headers: { Accept: "text/event-stream" } });
    expect(stream.status).toBe(503);
    await expectRefused(await start(mcp, "d", 8), 503, 8);
    expect(mcp.events.filter(({ type }) => type === "limit.reached")).toEqual([
      {
        type: "limit.reached",
        level: "warn",
        time: expect.any(Number),
        limit: "maxSessions",
        value: 3,
        refused: 1,
      },
    ]);
    await vi.advanceTimersByTimeAsync(60_000);
    await start(mcp, "d");
    expect(mcp.events.findLast(({ type }) => type === "limit.reached")).toMatchObject({ refused: 3 });
  });

  test("above maxSessionsPerPrincipal are refused with 429, and hinder nobody else", async () => {
    const mcp = host({ maxSessionsPerPrincipal: 2, maxSessions: 4 });
    const mine = [idOf(await start(mcp, "ada")), idOf(await start(mcp, "ada"))];
    for (let n = 0; n < 10; n++) await expectRefused(await start(mcp, "ada", n), 429, n);
    expect((await start(mcp, "bob")).status).toBe(200);
    expect((await start(mcp, "bob")).status).toBe(200);
    // What was refused to one took no place from all.
    await expectRefused(await start(mcp, "eve"), 503, 1);

    const [first = ""] = mine;
    const deleted = await mcp.router.request("/mcp", {
      method: "DELETE",
      headers: { "Mcp-Session-Id": first, "x-user": "ada" },
    });
    expect(deleted.status).toBe(204);
    expect((await start(mcp, "ada")).status).toBe(200);
    await expectRefused(await start(mcp, "ada"), 429, 1);
  });

  test("without authorize are all of one stranger, whom only the total bounds", async () => {
    const mcp = createLocalMcp({
      createServer: createTestServer,
      onEvent() {},
      maxSessionsPerPrincipal: 1,
      maxSessions: 3,
    });
    onTestFinished(() => mcp.close());
    for (let n = 0; n < 3; n++) await open(mcp);
    await expectRefused(await ask(mcp, { ...initialize(), id: 5 }), 503, 5);
  });

  test("that end of age, used or not, and that never came to be give their places back", async () => {
    let refuses = false;
    const database = freshFile();
    const options: Partial<LocalMcpOptions> = {
      database,
      maxSessions: 2,
      recovery: "rotate",
      createServer(context) {
        if (refuses) throw new Error("not today");
        return createTestServer(context);
      },
    };
    const mcp = host(options);
    refuses = true;
    for (let n = 0; n < 5; n++) expect((await start(mcp, "a")).status).toBe(503);
    expect(mcp.events.filter(({ type }) => type === "limit.reached")).toEqual([]);
    refuses = false;

    const used = idOf(await start(mcp, "a"));
    await mcp.router.request("/mcp", {
      method: "POST",
      headers: { ...HEADERS, "Mcp-Session-Id": used, "x-user": "a" },
      body: JSON.stringify(notification("notifications/initialized")),
    });
    expect((await start(mcp, "a")).status).toBe(200);
    await expectRefused(await start(mcp, "a"), 503, 1);
    // The unused one is gone, the used one is not.
    await vi.advanceTimersByTimeAsync(301_000);
    expect((await start(mcp, "a")).status).toBe(200);
    await expectRefused(await start(mcp, "a"), 503, 1);
    await mcp.close();

    // What is in the file counts for the next process, tombstones do not.
    const second = host(options);
    await expectRefused(await start(second, "a"), 503, 1);
    await vi.advanceTimersByTimeAsync(1.2 * HOUR);
    expect((await start(second, "a")).status).toBe(200);
    const gone = await second.router.request("/mcp", {
      method: "POST",
      headers: { ...HEADERS, "Mcp-Session-Id": used, "x-user": "a" },
      body: JSON.stringify(request("ping")),
    });
    expect(gone.status).toBe(404);
    // Its successor has taken the last place.
    expect(idOf(gone)).toMatch(/^[0-9a-f]{64}$/);
    await expectRefused(await start(second, "a"), 503, 1);
  });

  const asked = (
    { router }: LocalMcp,
    message: unknown,
    more: Record<string, string>,
    method = "POST",
  ): Promise<Response> =>
    Promise.resolve(
      router.request("/mcp", {
        method,
        headers: { ...HEADERS, "x-user": "a", ...more },
        ...(method === "POST" && { body: JSON.stringify(message) }),
      }),
    );

  test("that several requests open at once by one key take one place, whoever of them is turned away", async () => {
    let built = 0;
    const mcp = host({
      maxSessions: 1,
      // The first is never done: the second takes its turn.
      createServer: (context) => ((built += 1) === 1 ? new Promise(() => {}) : createTestServer(context)),
      sessionKey: ({ request: { headers } }) => headers.get("x-key") ?? undefined,
    });
    const both = await Promise.all([1, 2].map((id) => asked(mcp, { ...initialize(), id }, { "x-key": "k" })));
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 503]);
    await expectRefused(await start(mcp, "b", 3), 503, 3);
  });

  test.each([
    ["deleted by their clients", "client", true],
    ["deleted by their clients, and whose servers refuse,", "client", false],
    ["ended from the server's side", "server", true],
    ["ended from the server's side, and whose servers refuse,", "server", false],
  ] as const)(
    "that are %s while they are taken up again give their place back once",
    async (_what, by, starts) => {
      let building: Promise<void> | undefined;
      const mcp = host({
        maxSessions: 2,
        async createServer(context) {
          await building;
          if (building !== undefined && !starts && context.era === "session" && context.session.rehydrated) {
            throw new Error("not again");
          }
          return createTestServer(context);
        },
      });
      const id = { "Mcp-Session-Id": idOf(await start(mcp, "a")) };
      expect((await asked(mcp, notification("notifications/initialized"), id)).status).toBe(202);
      await vi.advanceTimersByTimeAsync(1.2 * HOUR);
      expect((await start(mcp, "b")).status).toBe(200);
      const { promise, resolve } = Promise.withResolvers<void>();
      building = promise;
      const revived = asked(mcp, request("ping"), id);
      await vi.advanceTimersByTimeAsync(10);
      if (by === "client") expect((await asked(mcp, undefined, id, "DELETE")).status).toBe(204);
      else expect(await mcp.sessions.end(id["Mcp-Session-Id"])).toBe(true);
      resolve();
      expect((await revived).status).toBe(404);
      expect((await start(mcp, "c")).status).toBe(200);
      await expectRefused(await start(mcp, "d", 4), 503, 4);
    },
  );

  test("have no successor where there is no place for one", async () => {
    const mcp = host({ maxSessions: 1, recovery: "rotate" });
    const id = idOf(await start(mcp, "a"));
    const ping = (): Promise<Response> =>
      Promise.resolve(
        mcp.router.request("/mcp", {
          method: "POST",
          headers: { ...HEADERS, "Mcp-Session-Id": id, "x-user": "a" },
          body: JSON.stringify(request("ping")),
        }),
      );
    expect((await ping()).status).toBe(200);
    await vi.advanceTimersByTimeAsync(1.2 * HOUR);
    expect((await start(mcp, "b")).status).toBe(200);
    const gone = await ping();
    expect(gone.status).toBe(404);
    expect(idOf(gone)).toBe("");
    await vi.advanceTimersByTimeAsync(301_000);
    expect(idOf(await ping())).not.toBe("");
  });

  test("are taken up again only where there is a place for them", async () => {
    const mcp = host({ maxSessions: 1 });
    const id = idOf(await start(mcp, "a"));
    const ping = (): Promise<Response> =>
      Promise.resolve(
        mcp.router.request("/mcp", {
          method: "POST",
          headers: { ...HEADERS, "Mcp-Session-Id": id, "x-user": "a" },
          body: JSON.stringify(request("ping")),
        }),
      );
    expect((await ping()).status).toBe(200);
    await vi.advanceTimersByTimeAsync(1.2 * HOUR);
    // Another's, which nobody uses.
    expect((await start(mcp, "b")).status).toBe(200);
    const refused = await ping();
    expect(refused.status === 503 || ((await refused.json()) as Message).error !== undefined).toBe(true);
    await vi.advanceTimersByTimeAsync(301_000);
    expect(((await (await ping()).json()) as Message).result).toEqual({});
    // It counts again.
    await expectRefused(await start(mcp, "c"), 503, 1);
  });

  test("that nobody uses after initialize leave no row, however many an hour", async () => {
    const mcp = host({ database: freshFile(), maxResidents: 50 });
    // A twelfth of a hundred thousand an hour, scaled down by twenty, in each provisional time.
    for (let rounds = 0; rounds < 3; rounds++) {
      for (let n = 0; n < 400; n++) expect((await start(mcp, `user ${n}`)).status).toBe(200);
      expect(mcp.host.inMemory).toBeLessThanOrEqual(50);
      await vi.advanceTimersByTimeAsync(301_000);
      expect(mcp.events.filter(({ type }) => type === "session.expired")).toHaveLength(400 * (rounds + 1));
    }
    expect(mcp.host.inMemory).toBe(0);
    // No timer is left for them: neither of an alarm nor of a look for idle sessions.
    await vi.advanceTimersByTimeAsync(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("a database file that is removed is noticed, and told of once", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const database = freshFile();
  const mcp = host({ database });
  const lost = (): unknown[] => mcp.events.filter(({ type }) => type === "storage.lost");
  for (let n = 0; n < 3; n++) {
    await start(mcp, "a");
    await vi.advanceTimersByTimeAsync(10_000);
  }
  expect(lost()).toEqual([]);
  rmSync(database);
  for (let n = 0; n < 3; n++) {
    expect((await start(mcp, "a")).status).toBe(200);
    await vi.advanceTimersByTimeAsync(10_000);
  }
  expect(lost()).toHaveLength(1);
});

describe("memory", () => {
  test("is shared by those in use: the one used longest ago leaves first, and is taken up again", async () => {
    const server = await served({ maxResidents: 3 });
    const sessions = [];
    for (let n = 0; n < 3; n++) sessions.push(await openSession(server.url));
    const [first, second, third] = sessions;
    await first?.tool("counter", { by: 5 });
    const before = server.events.length;
    // The second was used longest ago.
    const fourth = await openSession(server.url);
    expect(server.host.inMemory).toBe(3);
    await first?.tool("counter");
    await third?.tool("counter");
    await fourth.tool("counter");
    const rehydrated = (): unknown[] =>
      server.events.slice(before).filter(({ type }) => type === "session.rehydrated");
    expect(rehydrated()).toEqual([]);
    await second?.tool("counter");
    expect(rehydrated()).toHaveLength(1);
    expect(await first?.tool("counter")).toBe("7");
    expect(server.host.inMemory).toBe(3);
  });

  test("that streams hold is theirs: one more is turned away until one has left", async () => {
    const server = await served({ maxResidents: 2 });
    const [a, b] = [await openSession(server.url), await openSession(server.url)];
    const stream = await a.get();
    const legacy = await eventually(async () => {
      const response = await fetch(`${server.url}/sse`, { headers: { Accept: "text/event-stream" } });
      expect(response.status).toBe(200);
      return readEvents(response);
    });
    expect(server.host.inMemory).toBe(2);
    for (const id of upTo(3)) {
      const refused = await post(`${server.url}/mcp`, { ...initialize(), id });
      expect(refused.status).toBe(503);
      expect(refused.headers.get("retry-after")).toBe("1");
      expect(await refused.json()).toMatchObject({ id, error: { code: -32000 } });
    }
    // Nor is there room for one that is stored.
    const turnedAway = await b.post(request("ping", {}, "p"));
    await expectNotNow(turnedAway, "p");
    const several = [request("ping", {}, 1), notification("notifications/x"), request("ping", {}, 2)];
    const batch = await b.post(several, { Accept: "application/json" });
    expect([batch.status, await batch.json()]).toEqual([200, [notNow(1), notNow(2)]]);
    const asStream = await b.post(request("ping", {}, "s"), { Accept: "text/event-stream" });
    expect(await readEvents(asStream).messages(1)).toEqual([notNow("s")]);
    // Of what waits for no answer, the status says it.
    const told = await b.post(notification("notifications/x"));
    expect([told.status, told.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await b.post({ jsonrpc: "2.0", id: 1, result: {} })).status).toBe(503);
    expect((await b.post(initialize())).status).toBe(503);
    expect((await b.fetch("GET")).status).toBe(503);
    expect((await b.fetch("DELETE")).status).toBe(503);
    // Those that are in memory are served.
    expect(await a.tool("echo", { text: "here" })).toBe("here");
    legacy.leave();
    await eventually(async () => expect(await b.request(request("ping"))).toHaveProperty("result"));
    stream.leave();
    expect(server.events.filter(({ type }) => type === "limit.reached")).toHaveLength(1);
  });

  test("is not filled by a change that many who are not there want to hear of", async () => {
    const server = await served({ maxResidents: 5 });
    const sessions = [];
    for (let n = 0; n < 20; n++) {
      const session = await openSession(server.url);
      await session.request(request("resources/subscribe", { uri: "test://watched" }));
      sessions.push(session);
    }
    let most = 0;
    const { notify } = server;
    for (let n = 0; n < 10; n++) {
      notify.resourceUpdated("test://watched");
      await new Promise((resolve) => setTimeout(resolve));
      most = Math.max(most, server.host.inMemory);
    }
    expect(most).toBeLessThanOrEqual(6);
    for (const session of sessions.slice(0, 4)) {
      const stream = await session.get();
      expect(await stream.messages(10)).toHaveLength(10);
      stream.leave();
    }
  });
});

test("sessions that turn out to be large are fewer in memory, and end no process", async () => {
  const main = new URL("support/flood-main.ts", import.meta.url).pathname;
  const command = ["node", "--max-old-space-size=256", main, "600", freshFile(), "1"];
  const { code, stdout } = await run(command);
  expect(code).toBe(0);
  const { statuses, inMemory } = JSON.parse(stdout) as { statuses: unknown; inMemory: number };
  expect(statuses).toEqual({ 200: 600 });
  expect(inMemory).toBeLessThan(250);
}, 120_000);
