/** The user's own code at fault: what it throws or forgets is one event with its stack, and never more than that. */
import { expect, onTestFinished, test, vi } from "vitest";
import type { ConnectableServer, SessionTransport, WireMessage } from "../../src/index.ts";
import type { LocalMcpOptions } from "../../src/local/node.ts";
import { served as serveLocal, type Served } from "../local/served.ts";
import { openSse } from "../support/http-sse.ts";
import { answerOf, type McpSession, openSession, post } from "../support/mcp.ts";
import { initialize, type Message, notification, request, textOf, toolCall } from "../support/messages.ts";
import { expectNotNow, notNow } from "../support/not-now.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually, within } from "../support/wait.ts";
import { createWaywardServer } from "../support/wayward-server.ts";
import { SDKS, type Wayward } from "../support/wayward.ts";

const call = (args: Wayward, id?: string): Message =>
  toolCall("wayward", { ...args }, id === undefined ? {} : { id });

/** A rejection that nobody handles ends a Node process. */
async function served(options: Partial<LocalMcpOptions>): Promise<Served> {
  const unhandled: unknown[] = [];
  const hear = (error: unknown): number => unhandled.push(error);
  process.on("unhandledRejection", hear);
  process.on("uncaughtException", hear);
  onTestFinished(() => {
    process.off("unhandledRejection", hear);
    process.off("uncaughtException", hear);
    expect(unhandled).toEqual([]);
  });
  return serveLocal(options);
}

const eventsOf = ({ events }: Served, type: string): object[] =>
  events.filter((event) => event.type === type);

const open = ({ url }: Served): Promise<Response> => post(`${url}/mcp`, initialize());

/** A server by hand: `handle` answers what it is handed. */
function byHand(
  handle: (message: WireMessage & Message, transport: SessionTransport) => unknown,
  more: object = {},
): ConnectableServer {
  const server = {
    transport: undefined as SessionTransport | undefined,
    async connect(transport: SessionTransport) {
      server.transport = transport;
      Object.assign(transport, { onmessage: (message: WireMessage) => handle(message, transport) });
      await transport.start();
    },
    ...more,
  };
  return server;
}

const INITIALIZED = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  serverInfo: { name: "x", version: "0" },
};

const answerTo = ({ id }: Message, result: object = INITIALIZED): WireMessage =>
  ({ jsonrpc: "2.0", id, result }) as WireMessage;

test.each<[string, LocalMcpOptions["createServer"], string | RegExp]>([
  [
    "throws",
    () => {
      throw new Error("no configuration");
    },
    "no configuration",
  ],
  ["rejects", () => Promise.reject(new Error("no database")), "no database"],
  ["returns nothing", (() => {}) as never, "createServer returned undefined: it must return an MCP server"],
  ["returns null", (() => null) as never, "createServer returned null: it must return an MCP server"],
  ["returns a text", (() => "server") as never, "createServer returned server: it must return an MCP server"],
  ["returns an object of another kind", (() => ({})) as never, /an object without connect: it must return/],
  [
    "returns a server whose connect throws",
    () => ({ connect: () => Promise.reject(new Error("no connection")) }),
    "no connection",
  ],
])("a factory that %s: 503, and the operator gets the stack", async (_, createServer, message) => {
  const server = await served({ createServer });
  const answer = await open(server);
  expect([answer.status, answer.headers.get("mcp-session-id")]).toEqual([503, null]);
  expect(eventsOf(server, "session.start_failed")).toEqual([
    {
      type: "session.start_failed",
      level: "error",
      time: expect.any(Number),
      session: expect.any(String) as string,
      message: expect.stringMatching(message) as string,
      stack: expect.stringMatching(/^ +at /m) as string,
    },
  ]);
});

test("a server that does not start ends no client: each request is told when to come again", async () => {
  let starts = true;
  const server = await served({
    evictAfterMs: 10,
    createServer: (context) => {
      if (!starts) throw new Error("not now");
      return createTestServer(context);
    },
    authorize: (asked) => {
      const principal = asked.headers.get("authorization");
      return principal === null ? { principal: "nobody" } : { principal };
    },
    sessionKey: ({ principal }) => (principal === "keyed" ? "" : undefined),
  });
  const session = await openSession(server.url);
  await eventually(() => expect(server.host.inMemory).toBe(0));
  starts = false;
  await expectNotNow(await session.post(request("ping", undefined, "in a session")), "in a session");
  const told = await session.post(notification("notifications/x"));
  expect([told.status, told.headers.get("retry-after")]).toEqual([503, "1"]);
  await expectNotNow(await post(`${server.url}/mcp`, request("ping", undefined, "alone")), "alone");
  const keyed = { Authorization: "keyed" };
  await expectNotNow(await post(`${server.url}/mcp`, request("ping", undefined, "by key"), keyed), "by key");
  const batch = await post(`${server.url}/mcp`, [
    request("ping", undefined, 1),
    request("ping", undefined, 2),
  ]);
  expect([batch.status, await batch.json()]).toEqual([200, [notNow(1), notNow(2)]]);
  expect((await post(`${server.url}/mcp`, initialize(), keyed)).status).toBe(503);
  starts = true;
  expect(await session.tool("echo", { text: "back" })).toBe("back");
});

test.each<[string, () => ConnectableServer | Promise<ConnectableServer>]>([
  ["is never built", () => new Promise(() => {})],
  ["never connects", () => ({ connect: () => new Promise(() => {}) })],
  ["never answers initialize", () => byHand(() => {})],
  ["listens to nothing", () => ({ connect: (transport) => transport.start() })],
])("a server that %s: `initialize` ends in time, and nothing is left", async (_, createServer) => {
  const server = await served({ createServer, initializeTimeoutMs: 100, evictAfterMs: 10 });
  const answer = await within(open(server), "an answer");
  expect(answer.headers.get("mcp-session-id")).toBeNull();
  expect([200, 503]).toContain(answer.status);
  if (answer.status === 200) expect(await answerOf(answer)).toMatchObject({ error: { code: -32600 } });
  await eventually(() => expect(server.host.inMemory).toBe(0));
});

test("a server that never answers initialize is closed", async () => {
  const onclose = vi.fn<() => void>();
  const server = await served({
    createServer: () => byHand((_, transport) => Object.assign(transport, { onclose })),
    initializeTimeoutMs: 100,
  });
  expect((await open(server)).status).toBe(503);
  expect(onclose).toHaveBeenCalledTimes(1);
  expect(eventsOf(server, "session.start_failed")).toMatchObject([
    { message: "the server did not answer initialize within 100 ms" },
  ]);
});

test("over HTTP+SSE, initialize ends in time too, and the next message starts another server", async () => {
  let built = 0;
  const server = await served({
    createServer: (context) => {
      built += 1;
      return built === 1 ? byHand(() => {}) : createTestServer(context);
    },
    initializeTimeoutMs: 100,
  });
  const session = await openSse(server.url);
  const answer = await session.request(initialize("2024-11-05"));
  expect(answer.error).toMatchObject({ code: -32603, data: { reason: "timeout" } });
  await session.initialize();
  expect(await session.tool("echo", { text: "again" })).toBe("again");
  session.stream.leave();
});

test("a server that is built too late is closed, once", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const onclose = vi.fn<() => void>();
  const server = await served({
    createServer: async () => {
      await released;
      return createWaywardServer("2", { onclose });
    },
    initializeTimeoutMs: 50,
  });
  expect((await open(server)).status).toBe(503);
  release();
  await eventually(() => expect(onclose).toHaveBeenCalledTimes(1));
});

test("what createServer throws too late ends nothing", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const server = await served({
    createServer: async () => {
      await released;
      throw new Error("too late");
    },
    initializeTimeoutMs: 50,
  });
  expect((await open(server)).status).toBe(503);
  release();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(eventsOf(server, "session.start_failed")).toHaveLength(1);
});

test.each(SDKS)(
  "SDK %s: one server for two sessions is refused, with the mistake's name; the first goes on",
  async (sdk) => {
    const shared = createWaywardServer(sdk);
    const server = await served({ createServer: () => shared });
    const session = await openSession(server.url);
    const slow = session.request(call({ act: "answer", ms: 200, tag: "alice" }));
    const refused = await open(server);
    expect(refused.status).toBe(503);
    expect(eventsOf(server, "session.start_failed")).toMatchObject([
      {
        message: expect.stringMatching(
          /^createServer returned a server that another session is using/,
        ) as string,
      },
    ]);
    expect(textOf(await slow)).toBe("answered alice");

    // Once the first has ended, nobody else has it.
    await session.fetch("DELETE");
    const next = await openSession(server.url);
    expect(textOf(await next.request(call({ act: "answer", tag: "bob" })))).toBe("answered bob");
  },
);

test("ids towards a server begin somewhere else in each session", async () => {
  const first: unknown[] = [];
  const server = await served({
    createServer: () =>
      byHand((message, transport) => {
        if (message.method === "initialize") first.push(message.id);
        if (message.id !== undefined) void transport.send(answerTo(message));
      }),
  });
  for (let n = 0; n < 5; n++) await openSession(server.url);
  expect(new Set(first).size).toBe(5);
});

test("a rerun that throws is a no, and told", async () => {
  const rerun = (): boolean => {
    throw new Error("no idea");
  };
  const server = await served({ createServer: () => createWaywardServer("2"), rerun });
  const session = await openSession(server.url);
  expect(textOf(await session.request(call({ act: "answer", tag: "x" })))).toBe("answered x");
  expect(eventsOf(server, "hook.error")).toEqual([
    expect.objectContaining({
      hook: "rerun",
      message: "no idea",
      stack: expect.stringContaining("at ") as string,
    }),
  ]);
  const closed = await session.request(call({ act: "close" }));
  expect(closed.error?.data).toEqual({ reason: "interrupted", retryable: false });
});

const FAILING: [string, () => unknown][] = [
  [
    "throws",
    () => {
      throw new Error("my timers");
    },
  ],
  ["rejects", () => Promise.reject(new Error("my timers"))],
];

test.each(SDKS.flatMap((sdk) => FAILING.map(([how, onclose]) => ({ sdk, how, onclose }))))(
  "SDK $sdk: an onclose that $how is one event, whatever closes the server",
  async ({ sdk, onclose }) => {
    const failed = (server: Served): Promise<void> =>
      eventually(() =>
        expect(eventsOf(server, "hook.error")).toEqual([
          {
            type: "hook.error",
            level: "warn",
            time: expect.any(Number),
            hook: "onclose",
            message: "my timers",
            stack: expect.stringContaining("user-code.test.ts") as string,
          },
        ]),
      );
    const start = (more: Partial<LocalMcpOptions> = {}): Promise<Served> =>
      served({ createServer: () => createWaywardServer(sdk, { onclose }), ...more });
    const works = async (session: McpSession): Promise<void> => {
      expect(textOf(await session.request(call({ act: "answer", tag: "x" })))).toBe("answered x");
    };

    const deleting = await start();
    const deleted = await openSession(deleting.url);
    const waiting = deleted.post(call({ act: "never" }), { Accept: "application/json" });
    await eventually(async () => {
      expect((await deleted.fetch("DELETE")).status).toBe(204);
    });
    await failed(deleting);
    expect((await deleted.post(request("ping"))).status).toBe(404);
    // It may have been overtaken.
    expect([200, 404]).toContain((await within(waiting, "its answer")).status);
    expect(deleting.host.inMemory).toBe(0);

    const evicting = await start({ evictAfterMs: 50 });
    const evicted = await openSession(evicting.url);
    await eventually(() => expect(evicting.host.inMemory).toBe(0));
    await eventually(() => expect(eventsOf(evicting, "hook.error").length).toBeGreaterThan(0));
    await works(evicted);

    const closing = await start();
    const session = await openSession(closing.url);
    const answer = await within(session.request(call({ act: "close" })), "its answer");
    expect(answer.error?.data).toMatchObject({ reason: "interrupted" });
    await failed(closing);
    await works(session);
  },
);

test.each(SDKS)("SDK %s: an onclose that throws keeps no tool waiting for its client", async (sdk) => {
  const lines = vi.spyOn(console, "log").mockImplementation(() => {});
  onTestFinished(() => lines.mockRestore());
  const onclose = (): never => {
    throw new Error("my timers");
  };
  const server = await served({ createServer: () => createWaywardServer(sdk, { onclose }) });
  const session = await openSession(server.url, { capabilities: { elicitation: {} } });
  const stream = await session.stream(call({ act: "ask", tag: "whose?" }));
  await stream.message(({ method }) => method === "elicitation/create");
  await session.fetch("DELETE");
  expect((await stream.rest())[0]?.error?.data).toEqual({ reason: "session-ended" });
  await eventually(() =>
    expect(lines).toHaveBeenCalledWith(JSON.stringify({ type: "test.unanswered", tag: "whose?" })),
  );
});

test.each<[string, (message: Message) => unknown]>([
  [
    "throws over",
    () => {
      throw new Error("not mine");
    },
  ],
  ["rejects", () => Promise.reject(new Error("not mine"))],
])("a server that %s a message: the request is answered, and told", async (_, refuse) => {
  const server = await served({
    createServer: () =>
      byHand((message, transport) => {
        if (message.method !== "initialize" && message.method !== "ping") return refuse(message);
        return transport.send(answerTo(message));
      }),
  });
  const session = await openSession(server.url);
  const answer = await within(session.request(request("tools/list")), "an answer");
  expect(answer.error).toMatchObject({ code: -32600, data: { reason: "not-taken" } });
  await session.post(notification("notifications/roots/list_changed"));
  expect((await session.request(request("ping"))).result).toBeDefined();
  expect(eventsOf(server, "server.error").length).toBeGreaterThanOrEqual(2);
  expect(eventsOf(server, "call.failed")).toMatchObject([{ method: "tools/list", reason: "not-taken" }]);
});

test("what an SDK drops with a word to onerror is answered, and the user's onerror hears of it too", async () => {
  const heard = vi.fn<(error: Error) => void>(() => {
    throw new Error("nor can I");
  });
  const mine: { onerror?: (error: Error) => void } = { onerror: heard };
  const server = await served({
    createServer: () => {
      const built = byHand((message, transport) => {
        if (message.method === "initialize") return transport.send(answerTo(message));
        if (message.id !== undefined) {
          (built as typeof mine).onerror?.(new Error(`Unknown message type: ${JSON.stringify(message)}`));
        }
        return undefined;
      }, mine);
      return built;
    },
  });
  const session = await openSession(server.url);
  const sent = request("secrets/list", { token: "hunter2" });
  const answer = await within(session.request(sent), "an answer");
  expect(answer).toMatchObject({ id: sent.id, error: { code: -32600, data: { reason: "not-taken" } } });
  expect(heard).toHaveBeenCalledTimes(1);
  expect(eventsOf(server, "server.error")).toMatchObject([{ message: "Unknown message type:" }]);
  expect(eventsOf(server, "hook.error")).toMatchObject([{ hook: "onerror", message: "nor can I" }]);
  expect(JSON.stringify(server.events)).not.toContain("hunter2");
});

test("the first server of an HTTP+SSE session takes nobody's place; the next one does", async () => {
  const told: (boolean | undefined)[] = [];
  const server = await served({
    evictAfterMs: 30,
    createServer: (context) => {
      told.push(context.session?.rehydrated);
      return createTestServer(context);
    },
  });
  const session = await openSse(server.url);
  await session.initialize();
  expect(await session.tool("counter", { by: 1 })).toBe("1");
  expect([told, eventsOf(server, "session.rehydrated")]).toEqual([[false], []]);
  session.stream.leave();
  await eventually(() => expect(server.host.inMemory).toBe(0));

  await session.post(notification("notifications/roots/list_changed"));
  expect(told).toEqual([false, true]);
  expect(eventsOf(server, "session.rehydrated")).toHaveLength(1);
});

test("progress that names no request in flight is refused, whatever it is said to belong to", async () => {
  const refused: string[] = [];
  const server = await served({
    createServer: () =>
      byHand(async (message, transport) => {
        if (message.id === undefined) return;
        const progress = { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: "p" } };
        const tell = (): Promise<void> =>
          transport.send(progress as WireMessage).catch((error: Error) => void refused.push(error.message));
        if (message.method === "tools/call") await tell();
        await transport.send(answerTo(message));
        if (message.method === "tools/call") await tell();
      }),
  });
  const session = await openSession(server.url);
  const standalone = await session.get();
  await session.request(toolCall("any", {}, { progressToken: "p" }));
  await eventually(() => expect(refused).toEqual(["Progress was reported on a call that is over"]));
  await session.fetch("DELETE");
  expect((await standalone.rest()).map(({ method }) => method)).toEqual(["notifications/progress"]);
});
