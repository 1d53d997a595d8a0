/** Sessions that end on their server's word: one, or all of a principal's. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLocalMcp, serve } from "../../src/local/node.ts";
import { expectNotFound } from "../support/gone.ts";
import { openSse } from "../support/http-sse.ts";
import { request, textOf, toolCall } from "../support/messages.ts";
import { answerOf, type McpSession, openSession, post } from "../support/mcp.ts";
import { testOptions } from "../support/test-options.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd } from "../support/workerd.ts";

interface Host {
  readonly url: string;
  end(id: string): Promise<boolean>;
  endAll(principal: string): Promise<number>;
  /** The sessions that are noted as a principal's. */
  noted(principal: string): Promise<string[]>;
  /** Whether the session's time was up. */
  hasExpired(id: string): boolean;
  close(): Promise<void>;
}

const as = (principal: string): { Authorization: string } => ({ Authorization: `Bearer ${principal}:1` });
const someone = (): string => `u${crypto.randomUUID().slice(0, 8)}`;

type Recovery = "revive" | "rotate" | "spec";

interface Setup {
  readonly recovery: Recovery;
  /** Sessions end of age after this long. */
  readonly sessionTtlMs?: number;
  /** Sessions of requests without an id are found by their principal. */
  readonly keyed?: boolean;
}

const keyOf = (keyed: boolean): Record<string, string> => (keyed ? { TEST_SESSION_KEY: "principal" } : {});

async function startLocal({ recovery, sessionTtlMs, keyed = false }: Setup): Promise<Host> {
  const expired = new Set<string>();
  const mcp = createLocalMcp({
    ...testOptions({ TEST_AUTH: "on", ...keyOf(keyed) }),
    createServer: createTestServer,
    recovery,
    ...(sessionTtlMs !== undefined && { sessionTtlMs, keepaliveIntervalMs: 1000 }),
    maxSessionsPerPrincipal: 12,
    onEvent: (event) => void (event.type === "session.expired" && expired.add(event.session)),
    onDisconnect: () => {},
  });
  const server = await serve({ fetch: mcp.router.fetch, port: 0, onClose: mcp.close });
  return {
    url: server.url,
    end: mcp.sessions.end,
    endAll: mcp.sessions.endAll,
    noted: async () => [],
    hasExpired: (id) => expired.has(id.slice(0, 8)),
    close: server.close,
  };
}

async function startWorker({ recovery, sessionTtlMs, keyed = false }: Setup): Promise<Host> {
  const { url, close, events } = await startWorkerd({
    vars: {
      TEST_AUTH: "on",
      TEST_SESSIONS: "on",
      HOLDFAST_RECOVERY: recovery,
      ...keyOf(keyed),
      ...(sessionTtlMs !== undefined && {
        HOLDFAST_SESSION_TTL_MS: String(sessionTtlMs),
        HOLDFAST_KEEPALIVE_INTERVAL_MS: "1000",
      }),
    },
  });
  const ask = async <T>(action: string): Promise<T> => {
    const answer = await fetch(`${url}/__test/${action}`);
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as T;
  };
  return {
    url,
    close,
    hasExpired: (id) =>
      events().some(({ type, session }) => type === "session.expired" && session === id.slice(0, 8)),
    end: (id) => ask(`end?session=${id}`),
    endAll: (principal) => ask(`end-all?principal=${principal}`),
    noted: (principal) => ask(`index?principal=${principal}`),
  };
}

const HOSTS = [
  { host: "node", start: startLocal },
  { host: "workerd", start: startWorker },
];

describe.each(HOSTS)("on $host", ({ host, start }) => {
  let server: Host;
  beforeAll(async () => {
    server = await start({ recovery: "spec" });
  });
  afterAll(() => server.close());
  const open = (principal: string): Promise<McpSession> =>
    openSession(server.url, { headers: as(principal) });

  test("end: streams end, the call in flight gets one error, and the session is gone", async () => {
    const session = await open("amy");
    const standalone = await session.get();
    const call = toolCall("sleep", { ms: 600_000 });
    const calling = await session.stream(call);
    await calling.next();
    expect(await server.end(session.id)).toBe(true);
    expect(await standalone.rest()).toEqual([]);
    expect(await calling.rest()).toEqual([
      expect.objectContaining({
        id: call.id,
        error: expect.objectContaining({ data: { reason: "session-ended" } }),
      }),
    ]);
    await expectNotFound(await session.post(toolCall("echo", { text: "hi" })));
    await expectNotFound(await session.fetch("GET"));
    // There is nothing to end any more, nor was there ever under such an id.
    expect(await server.end(session.id)).toBe(false);
    expect(await server.end("f".repeat(64))).toBe(false);
    expect(await server.end("no id at all")).toBe(false);
  });

  test("endAll: all of the principal's sessions, of either transport, and nobody else's", async () => {
    const [ada, ben] = [someone(), someone()];
    const sessions = await Promise.all(Array.from({ length: 8 }, () => open(ada)));
    const sse = await openSse(server.url, { headers: as(ada) });
    const streams = await Promise.all(sessions.map((session) => session.get()));
    const bens = await open(ben);
    expect(await server.endAll(ada)).toBe(9);
    for (const stream of [...streams, sse.stream]) expect(await stream.rest()).toEqual([]);
    for (const session of sessions)
      await expectNotFound(await session.post(toolCall("echo", { text: "hi" })));
    expect(await bens.tool("echo", { text: "hi" })).toBe("hi");
    expect(await server.endAll(ada)).toBe(0);
    expect(await server.endAll(someone())).toBe(0);
    // Signing in again is a session like any other.
    expect(await (await open(ada)).tool("echo", { text: "hi" })).toBe("hi");
  });

  test("a principal who was shut out hears nothing more", async () => {
    const ada = someone();
    const session = await open(ada);
    const stream = await session.get();
    await session.tool("burst", { tag: "t", sizes: Array(200).fill(1), intervalMs: 50, on: "standalone" });
    await stream.message();
    await server.endAll(ada);
    const heard = stream.seen.length;
    // What was on its way is all that comes.
    const rest = await stream.rest();
    expect(rest.length).toBeLessThan(20);
    expect(stream.seen.length).toBeLessThan(heard + 25);
  });

  if (host === "workerd") {
    test("what is noted of a principal goes with their sessions, however they end", async () => {
      const ada = someone();
      const [first, second] = [await open(ada), await open(ada)];
      expect(new Set(await server.noted(ada))).toEqual(new Set([first.id, second.id]));
      expect((await first.fetch("DELETE")).status).toBe(204);
      await eventually(async () => expect(await server.noted(ada)).toEqual([second.id]));
      await server.end(second.id);
      await eventually(async () => expect(await server.noted(ada)).toEqual([]));
    });
  }
});

describe.each(HOSTS)("with recovery rotate, on $host", ({ start }) => {
  let server: Host;
  beforeAll(async () => {
    server = await start({ recovery: "rotate" });
  });
  afterAll(() => server.close());

  test("the 404 names a successor, which is the principal's too", async () => {
    const ada = someone();
    const session = await openSession(server.url, { headers: as(ada) });
    expect(await server.endAll(ada)).toBe(1);
    const gone = await session.post(toolCall("echo", { text: "hi" }));
    expect(gone.status).toBe(404);
    const successor = gone.headers.get("mcp-session-id");
    expect(successor).toMatch(/^[0-9a-f]{64}$/);
    const answer = await session.post(toolCall("echo", { text: "hi" }), {
      "Mcp-Session-Id": successor ?? "",
    });
    expect(answer.status).toBe(200);
    expect(await server.endAll(ada)).toBe(1);
    const stranger = await session.post(toolCall("echo", { text: "hi" }), as(someone()));
    expect([stranger.status, stranger.headers.get("mcp-session-id")]).toEqual([404, null]);
  });
});

describe.each(HOSTS)("with recovery revive, on $host", ({ start }) => {
  let server: Host;
  beforeAll(async () => {
    server = await start({ recovery: "revive", sessionTtlMs: 2000 });
  });
  afterAll(() => server.close());

  test("nothing that was ended is taken up again, be it in use or asleep under its tombstone", async () => {
    const ada = someone();
    const open = (): Promise<McpSession> => openSession(server.url, { headers: as(ada) });
    const asleep = [await open(), await open(), await open()] as const;
    for (const session of asleep) await session.tool("counter", { by: 3 });
    await eventually(() =>
      expect(asleep.filter(({ id }) => server.hasExpired(id)).length).toBe(asleep.length),
    );
    const [woken, ended, left] = asleep;
    expect(await woken.tool("counter", { by: 1 })).toBe("4");
    const inUse = await open();
    const stream = await inUse.get();

    expect(await server.end(ended.id)).toBe(true);
    expect(await server.end(ended.id)).toBe(false);
    // One that sleeps, one that was woken, one in use.
    expect(await server.endAll(ada)).toBe(3);
    expect(await stream.rest()).toEqual([]);
    for (const session of [woken, ended, left, inUse]) {
      const gone = await session.post(toolCall("counter", { by: 1 }));
      expect(gone.headers.get("mcp-session-id")).toBeNull();
      await expectNotFound(gone);
      await expectNotFound(await session.fetch("GET"));
    }
    expect(await server.endAll(ada)).toBe(0);
    await eventually(async () => expect(await server.noted(ada)).toEqual([]));
  });

  test("their places are free again, each once", async () => {
    const ada = someone();
    const open = (): Promise<McpSession> => openSession(server.url, { headers: as(ada) });
    for (let round = 0; round < 3; round++) {
      const sessions = await Promise.all(Array.from({ length: 8 }, open));
      await sessions[0]?.tool("echo", { text: "hi" });
      expect(await server.endAll(ada)).toBe(8);
    }
  });
});

describe.each(HOSTS)("sessions that are found by a key, on $host", ({ host, start }) => {
  let server: Host;
  beforeAll(async () => {
    server = await start({ recovery: "revive", keyed: true });
  });
  afterAll(() => server.close());
  const callAs = async (principal: string, by: number): Promise<string | undefined> =>
    textOf(await answerOf(await post(`${server.url}/mcp`, toolCall("counter", { by }), as(principal))));

  test("endAll ends one in its first call; the next call begins it anew, and it can be ended again", async () => {
    const ada = someone();
    const sleep = toolCall("sleep", { ms: 600_000 });
    const sleeping = post(`${server.url}/mcp`, sleep, as(ada));
    const first = await sleeping;
    expect(await server.endAll(ada)).toBe(1);
    expect(await answerOf(first)).toMatchObject({
      id: sleep.id,
      error: { data: { reason: "session-ended" } },
    });
    for (let round = 0; round < 5; round++) {
      expect(await callAs(ada, 1)).toBe("1");
      expect(await callAs(ada, 1)).toBe("2");
      expect(await server.endAll(ada)).toBe(1);
    }
    expect(await server.endAll(ada)).toBe(0);
    await eventually(async () => expect(await server.noted(ada)).toEqual([]));
  });

  if (host === "workerd") {
    test("one that does not come to be is not noted", async () => {
      const ada = someone();
      const incomplete = request("initialize", { protocolVersion: "2025-11-25" });
      const refused = await answerOf(await post(`${server.url}/mcp`, incomplete, as(ada)));
      expect(refused.error).toMatchObject({ code: expect.any(Number) });
      await eventually(async () => expect(await server.noted(ada)).toEqual([]));
    });
  }
});

test("on Workers, without the option there is no endAll, and end is there", async () => {
  const server = await startWorkerd({ vars: { TEST_AUTH: "on" } });
  try {
    const session = await openSession(server.url, { headers: as("amy") });
    const refused = await fetch(`${server.url}/__test/end-all?principal=amy`);
    expect([refused.status, await refused.text()]).toEqual([500, expect.stringContaining("sessions: true")]);
    expect(await (await fetch(`${server.url}/__test/index?principal=amy`)).json()).toEqual([]);
    expect(await (await fetch(`${server.url}/__test/end?session=${session.id}`)).json()).toBe(true);
  } finally {
    await server.close();
  }
});
