/** The sessions of a server over HTTP: who may see them, what is told, and that looking changes nothing. */
import { describe, expect, test } from "vitest";
import { createMcpRouter } from "../../src/index.ts";
import { createClusterMcp } from "../../src/cluster/index.ts";
import { sessionsAdmin } from "../../src/admin/index.ts";
import { localHost } from "../../src/local/index.ts";
import type { SessionDetail, SessionPage } from "../../src/sessions.ts";
import { startCluster } from "../support/cluster.ts";
import { clusterOf } from "../support/cluster-subject.ts";
import { hosts } from "../support/hosts.ts";
import { openSse } from "../support/http-sse.ts";
import { initialize, toolCall } from "../support/messages.ts";
import { openSession, post } from "../support/mcp.ts";
import { createTestServer } from "../support/test-server.ts";
import { serve } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd } from "../support/workerd.ts";

const OPERATOR = { Authorization: "Bearer operator" };
const as = (principal: string): { Authorization: string } => ({ Authorization: `Bearer ${principal}:1` });
const someone = (): string => `u${crypto.randomUUID().slice(0, 8)}`;

interface Admin {
  ask(path: string, init?: RequestInit): Promise<Response>;
  list(query?: Record<string, string>): Promise<SessionPage>;
  /** All that is listed, by pages. */
  all(query?: Record<string, string>): Promise<string[]>;
  get(id: string): Promise<SessionDetail>;
}

function adminOf(server: { readonly url: string }): Admin {
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${server.url}/admin/sessions${path}`, { headers: OPERATOR, ...init });
  const read = async <T>(answer: Response): Promise<T> => {
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"]);
    return (await answer.json()) as T;
  };
  const list = async (query: Record<string, string> = {}): Promise<SessionPage> =>
    read(await ask(`?${new URLSearchParams(query)}`));
  return {
    ask,
    list,
    async all(query = {}) {
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await list({ ...query, ...(cursor !== undefined && { cursor }) });
        ids.push(...page.sessions.map(({ id }) => id));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      return ids;
    },
    get: async (id) => read(await ask(`/${id}`)),
  };
}

const ON = { TEST_ADMIN: "on", TEST_SESSIONS: "on" };

describe.each([...hosts, clusterOf("a cluster", ["node", "node"])])("on $name", (host) => {
  describe("with principals", () => {
    const server = serve(host, { ...ON, TEST_AUTH: "on" });
    const admin = adminOf(server);

    test("only who is let in sees anything, and nothing that the clients' hook says counts", async () => {
      const session = await openSession(server.url, { headers: as("amy") });
      for (const path of ["", `/${session.id}`]) {
        for (const headers of [{}, as("amy"), as("operator")]) {
          const answer = await admin.ask(path, { headers });
          expect([answer.status, answer.headers.get("cache-control")]).toEqual([401, "no-store"]);
          expect(await answer.text()).not.toContain(session.id);
        }
        expect((await admin.ask(path, { headers: { Authorization: "Bearer broken" } })).status).toBe(500);
        const foreign = { ...OPERATOR, Origin: "https://evil.example" };
        expect((await admin.ask(path, { headers: foreign })).status).toBe(403);
        expect((await admin.ask(path, { method: "POST" })).status).toBe(405);
      }
      await eventually(() =>
        expect(server.events()).toContainEqual(
          expect.objectContaining({ type: "hook.error", hook: "admin" }),
        ),
      );
      expect((await admin.ask(`/${session.id}`, { method: "DELETE", headers: {} })).status).toBe(401);
      expect(await session.tool("echo", { text: "hi" })).toBe("hi");
    });

    test("a principal's sessions, of either transport, and nobody else's", async () => {
      const [ada, ben] = [someone(), someone()];
      const session = await openSession(server.url, { headers: as(ada), version: "2025-06-18" });
      const sse = await openSse(server.url, { headers: as(ada) });
      await openSession(server.url, { headers: as(ben) });
      const { sessions, nextCursor } = await admin.list({ principal: ada });
      expect(nextCursor).toBeUndefined();
      expect(sessions.length).toBe(2);
      expect(sessions.find(({ id }) => id === session.id)).toMatchObject({
        principal: ada,
        transport: "streamable",
        version: "2025-06-18",
        client: { name: "behaviour", version: "0" },
        created: expect.any(Number),
      });
      expect(sessions.find(({ transport }) => transport === "http+sse")).toMatchObject({ principal: ada });
      expect((await admin.list({ principal: someone() })).sessions).toEqual([]);
      sse.stream.leave();
    });

    test("page by page: each once, whatever the size of a page, of one principal and of all", async () => {
      const principals = [someone(), someone(), someone()];
      const opened: string[] = [];
      for (const principal of principals) {
        for (let n = 0; n < 3; n++)
          opened.push((await openSession(server.url, { headers: as(principal) })).id);
      }
      const [first = ""] = principals;
      expect((await admin.all({ principal: first, limit: "1" })).toSorted()).toEqual(
        opened.slice(0, 3).toSorted(),
      );
      await eventually(async () => {
        for (const limit of ["1", "2", "1000"]) {
          const all = await admin.all({ limit });
          expect(new Set(all).size).toBe(all.length);
          expect(all).toEqual(expect.arrayContaining(opened));
        }
      });
    });

    test("what cannot be asked is refused by name", async () => {
      for (const [query, name] of [
        ["limit=0", "limit"],
        ["limit=1001", "limit"],
        ["limit=x", "limit"],
        ["cursor=nonsense", "cursor"],
        [`principal=amy&cursor=${"a".repeat(64)}.${"b".repeat(64)}`, "cursor"],
      ]) {
        const answer = await admin.ask(`?${query}`);
        expect([query, answer.status]).toEqual([query, 400]);
        expect(await answer.text()).toContain(name);
      }
      for (const id of ["none", "f".repeat(64), "%2e%2e"]) {
        for (const method of ["GET", "DELETE"]) {
          expect([id, (await admin.ask(`/${id}`, { method })).status]).toEqual([id, 404]);
        }
      }
    });

    test("a session as it is: its streams, backlog, connections and calls; looking does not use it", async () => {
      const session = await openSession(server.url, { headers: as(someone()) });
      const fresh = await admin.get(session.id);
      expect(fresh).toMatchObject({ status: "active", calls: [], alarm: expect.any(Number) });
      expect(fresh.streams).toEqual([
        expect.objectContaining({ kind: "standalone", cursor: 0, acked: 0, backlog: 0, owes: 0 }),
      ]);
      expect(fresh.streams[0]?.connection).toBeUndefined();
      expect(fresh.stored.rows).toBeGreaterThan(0);

      // Nobody listens: what is sent waits.
      await session.tool("burst", { tag: "t", sizes: [10, 10, 10], on: "standalone" });
      await session.tool("settle");
      const waiting = await admin.get(session.id);
      const [standalone] = waiting.streams;
      expect(standalone).toMatchObject({ cursor: 3, acked: 0, backlog: 3, trimmed: 0 });
      expect(standalone?.bytes).toBeGreaterThan(30);
      expect(waiting.stored.bytes).toBeGreaterThan(fresh.stored.bytes + 30);
      expect(waiting.stored.rows).toBe(fresh.stored.rows + 3);

      const stream = await session.get();
      await stream.messages(3);
      const calling = await session.stream(toolCall("sleep", { ms: 600_000 }));
      await calling.next();
      const busy = await eventually(async () => {
        const detail = await admin.get(session.id);
        expect(detail.streams[0]).toMatchObject({ acked: 3, backlog: 0 });
        return detail;
      });
      expect(busy.streams[0]?.connection).toEqual({ id: expect.any(String), ageMs: expect.any(Number) });
      expect(busy.streams.filter(({ kind }) => kind === "call")).toEqual([
        expect.objectContaining({ owes: 1, connection: expect.anything() }),
      ]);
      expect(busy.calls).toEqual([{ method: "tools/call", name: "sleep", ageMs: expect.any(Number) }]);
      for (const { ageMs } of [...busy.calls, busy.streams[0]?.connection ?? { ageMs: -1 }]) {
        expect(ageMs).toBeGreaterThanOrEqual(0);
        expect(ageMs).toBeLessThan(600_000);
      }
      // Nothing that was said, and no credential.
      expect(JSON.stringify(busy)).not.toMatch(/#1 é|arguments|Bearer|600000/);
      const again = await admin.get(session.id);
      expect([again.lastUsed, again.stored]).toEqual([busy.lastUsed, busy.stored]);
      calling.leave();
      stream.leave();
    });

    test("DELETE ends it: its client gets 404, and it is in no list", async () => {
      const ada = someone();
      const session = await openSession(server.url, { headers: as(ada) });
      const stream = await session.get();
      expect((await admin.ask(`/${session.id}`, { method: "DELETE" })).status).toBe(204);
      expect(await stream.rest()).toEqual([]);
      expect((await session.post(toolCall("echo", { text: "hi" }))).status).toBe(404);
      expect((await admin.ask(`/${session.id}`)).status).toBe(404);
      expect((await admin.ask(`/${session.id}`, { method: "DELETE" })).status).toBe(404);
      await eventually(async () => expect((await admin.list({ principal: ada })).sessions).toEqual([]));
    });
  });

  describe("without principals", () => {
    const server = serve(host, ON);
    const admin = adminOf(server);

    test("all are listed, and go from the list as they end", async () => {
      const opened = await Promise.all(Array.from({ length: 20 }, () => openSession(server.url)));
      await eventually(async () =>
        expect((await admin.all({ limit: "7" })).toSorted()).toEqual(opened.map(({ id }) => id).toSorted()),
      );
      for (const session of opened) {
        expect((await admin.ask(`/${session.id}`, { method: "DELETE" })).status).toBe(204);
      }
      await eventually(async () => expect((await admin.list()).sessions).toEqual([]));
      const anew = await openSession(server.url);
      await eventually(async () => expect(await admin.all()).toEqual([anew.id]));
    });
  });

  test("what a client calls itself is cut, and its control characters are escaped", async () => {
    const server = await host.start(ON);
    try {
      const hostile = initialize();
      const clientInfo = { name: `<b>\u0007\u001b[31m${"x".repeat(1000)}`, version: "1\u2028\n" };
      hostile.params = { ...hostile.params, clientInfo };
      const { headers } = await post(`${server.url}/mcp`, hostile);
      const { client } = await adminOf(server).get(headers.get("mcp-session-id") ?? "");
      expect(client?.name.length).toBe(256);
      expect(client?.name.startsWith("<b>\\u0007\\u001b[31mxxx")).toBe(true);
      expect(client?.version).toBe("1\\u2028\\u000a");
    } finally {
      await server.close();
    }
  });

  test("without `admin` there is no such path", async () => {
    const server = await host.start({});
    try {
      for (const path of ["", "/x"]) {
        const answer = await fetch(`${server.url}/admin/sessions${path}`, { headers: OPERATOR });
        expect(answer.status).toBe(404);
      }
    } finally {
      await server.close();
    }
  });
});

describe("among several processes", () => {
  test(
    "each session is listed, shown and ended by any of them, with the one that has it; all of a principal's at once",
    { timeout: 120_000 },
    async () => {
      const cluster = await startCluster({
        vars: { ...ON, TEST_AUTH: "on", TEST_LEASE_MS: "1500", TEST_EVICT_MS: "1000" },
      });
      try {
        const admins = cluster.members.map(adminOf);
        const [ada, ben] = [someone(), someone()];
        const owners = [...cluster.members, ...cluster.members];
        const opened = await Promise.all(owners.map(({ url }) => openSession(url, { headers: as(ada) })));
        const other = await openSession(cluster.members[0]?.url ?? "", { headers: as(ben) });
        // In use: they stay where they are.
        const calls = await Promise.all(
          [...opened, other].map((one) => one.stream(toolCall("sleep", { ms: 600_000 }))),
        );
        for (const admin of admins) {
          const ids: string[] = [];
          let cursor: string | undefined;
          do {
            const page = await admin.list({
              principal: ada,
              limit: "2",
              ...(cursor !== undefined && { cursor }),
            });
            for (const { id, process } of page.sessions) {
              ids.push(id);
              expect(process).toBe(owners[opened.findIndex((one) => one.id === id)]?.url);
            }
            cursor = page.nextCursor;
          } while (cursor !== undefined);
          expect(ids.toSorted()).toEqual(opened.map(({ id }) => id).toSorted());
          for (const [n, { id }] of opened.entries()) {
            const detail = await admin.get(id);
            expect(detail).toMatchObject({ process: owners[n]?.url, calls: [{ name: "sleep" }] });
          }
        }
        // Looked at where nobody has it, it is nobody's again.
        const idle = await openSession(cluster.members[1]?.url ?? "", { headers: as(ada) });
        await eventually(async () => expect(await cluster.ownerOf(idle.id)).toBeUndefined());
        expect(await admins[2]?.get(idle.id)).not.toHaveProperty("process");
        await eventually(async () => expect(await cluster.ownerOf(idle.id)).toBeUndefined());

        const ended = await admins[1]?.ask(`/${other.id}`, { method: "DELETE" });
        expect(ended?.status).toBe(204);
        const operator = await createClusterMcp({
          createServer: createTestServer,
          postgres: cluster.database.url,
          address: "http://127.0.0.1:1",
          leaseMs: 1500,
          env: false,
          logLevel: "silent",
        });
        expect(await operator.sessions.endAll(ada)).toBe(7);
        await operator.close();
        for (const call of calls) expect((await call.rest()).at(-1)?.error).toBeDefined();
        for (const admin of admins) {
          expect((await admin.list({ principal: ada })).sessions).toEqual([]);
          for (const { id } of opened) expect((await admin.ask(`/${id}`)).status).toBe(404);
        }
      } finally {
        await cluster.close();
      }
    },
  );
});

describe("on workerd", () => {
  test("a list wakes no session, nor does it write; a detail wakes the one that is asked for", async () => {
    const server = await startWorkerd({ vars: ON });
    const admin = adminOf(server);
    const inspect = async (id: string): Promise<{ fetches: number; rowsWritten: number }> =>
      (await (await fetch(`${server.url}/__test/inspect?session=${id}`)).json()) as never;
    try {
      const [first, second] = [await openSession(server.url), await openSession(server.url)];
      await eventually(async () => expect((await admin.all()).length).toBe(2));
      const before = [await inspect(first.id), await inspect(second.id)];
      await admin.all();
      await admin.all({ limit: "1" });
      await admin.get(first.id);
      const after = [await inspect(first.id), await inspect(second.id)];
      expect(after.map(({ fetches }) => fetches)).toEqual(
        before.map(({ fetches }, n) => fetches + (n === 0 ? 1 : 0)),
      );
      expect(after[1]?.rowsWritten).toBe(before[0]?.rowsWritten);
    } finally {
      await server.close();
    }
  });

  test("without `sessions: true` there is no list and it says so; details and ends work", async () => {
    const server = await startWorkerd({ vars: { TEST_ADMIN: "on" } });
    const admin = adminOf(server);
    try {
      const session = await openSession(server.url);
      const refused = await admin.ask("");
      expect([refused.status, await refused.text()]).toEqual([
        501,
        expect.stringContaining("sessions: true"),
      ]);
      expect(await admin.get(session.id)).toMatchObject({ id: session.id, status: "active" });
      expect((await admin.ask(`/${session.id}`, { method: "DELETE" })).status).toBe(204);
    } finally {
      await server.close();
    }
  });
});

test("what cannot guard its door is refused where it is built", async () => {
  expect(() => sessionsAdmin(undefined as never)).toThrow(TypeError);
  const { sessions: _none, ...host } = localHost({
    createServer: () => ({ connect: async () => {} }),
    onEvent() {},
  });
  expect(() => createMcpRouter({ host, admin: sessionsAdmin(() => undefined) })).toThrow(/sessions/);
  await host.close();
});
