/** The stateless era in one process: how it ends, how it fails, what the factory is told. */
import { McpServer } from "@modelcontextprotocol/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type Change,
  type ChangeBus,
  createMcpRouter,
  type HoldfastEvent,
  type RouterOptions,
  type SessionHost,
} from "../../src/index.ts";
import { modernHandler, type ModernOptions, sealedState } from "../../src/modern/index.ts";
import { createMemoryHub } from "../../src/changes.ts";
import { startNode } from "../support/node.ts";
import { headersFor, listen, modernRequest } from "../support/modern.ts";
import { answerOf } from "../support/mcp.ts";
import { type EventStream, readEvents } from "../support/sse.ts";

const info = { name: "handler-test", version: "0" };
/** The modern era needs no sessions. */
const none = (): never => {
  throw new Error("no sessions here");
};
const host: SessionHost = { find: () => undefined, named: none, mint: none, user: none, guests: none };

afterEach(() => {
  vi.useRealTimers();
});

interface Rig {
  readonly events: HoldfastEvent[];
  readonly modern: ReturnType<typeof modernHandler>;
  ask(method: string, params?: Record<string, unknown>, headers?: Record<string, string>): Promise<Response>;
  listen(uris: string[]): Promise<EventStream>;
}

function rig(options: Partial<ModernOptions> = {}, router: Partial<RouterOptions> = {}): Rig {
  const events: HoldfastEvent[] = [];
  const modern = modernHandler({
    createServer: () => new McpServer(info, { capabilities: { resources: { subscribe: true } } }),
    ...options,
  });
  const app = createMcpRouter({ host, modern, onEvent: (event) => events.push(event), ...router });
  const ask: Rig["ask"] = async (method, params, headers = {}) => {
    const message = modernRequest(method, params);
    const all = {
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      ...headersFor(message),
      ...headers,
    };
    return app.request("http://localhost/mcp", {
      method: "POST",
      headers: all,
      body: JSON.stringify(message),
    });
  };
  return {
    events,
    modern,
    ask,
    async listen(uris) {
      const params = { notifications: { resourceSubscriptions: uris } };
      const stream = readEvents(await ask("subscriptions/listen", params));
      expect(await stream.message()).toMatchObject({ method: "notifications/subscriptions/acknowledged" });
      return stream;
    },
  };
}

describe("the end", () => {
  test("listeners get their result when the handler closes, and the stream ends", async () => {
    const { listen, modern } = rig();
    const streams = [await listen(["u"]), await listen(["v"])];
    await modern.close();
    for (const stream of streams) {
      const [result, ...more] = await stream.rest();
      expect(result?.result).toMatchObject({ resultType: "complete" });
      expect(more).toEqual([]);
    }
  });

  test("a process that is told to end says goodbye to its listeners", async () => {
    const server = await startNode();
    try {
      const stream = await listen(server.url, { toolsListChanged: true }, { id: "bye" });
      const ended = server.end("SIGTERM");
      expect(await stream.rest()).toMatchObject([{ id: "bye", result: { resultType: "complete" } }]);
      expect(await ended).toBe(0);
    } finally {
      await server.close();
    }
  });
});

describe("without a hub", () => {
  test("changes reach the listeners of this process", async () => {
    let publish: ((change: Change) => void) | undefined;
    const { ask, listen } = rig({
      createServer: ({ notify }) => {
        publish = notify?.publish;
        return new McpServer(info, { capabilities: { resources: { subscribe: true } } });
      },
    });
    const stream = await listen(["u"]);
    await ask("server/discover");
    publish?.({ kind: "resource_updated", uri: "u" });
    expect(await stream.message()).toMatchObject({ params: { uri: "u" } });
    stream.leave();
  });

  test("a listener that throws keeps nothing from the others, and one that left hears nothing", () => {
    const errors: unknown[] = [];
    const bus = createMemoryHub((error) => errors.push(error)).bus("t");
    const heard: string[] = [];
    bus.subscribe(() => {
      throw new Error("mine");
    });
    const leave = bus.subscribe(({ kind }) => heard.push(`a ${kind}`));
    bus.subscribe(({ kind }) => heard.push(`b ${kind}`));
    bus.publish({ kind: "tools_list_changed" });
    leave();
    leave();
    bus.publish({ kind: "prompts_list_changed" });
    expect(heard).toEqual(["a tools_list_changed", "b tools_list_changed", "b prompts_list_changed"]);
    expect(errors).toHaveLength(2);
  });
});

test("nothing is acknowledged before the hub has this isolate on its list", async () => {
  let connect = (): void => {};
  const connected = new Promise<void>((resolve) => (connect = resolve));
  const memory = createMemoryHub();
  const bus = (topic: string): ChangeBus => ({ ...memory.bus(topic), ready: () => connected });
  const { ask } = rig({}, { hub: { bus } });
  const answering = ask("subscriptions/listen", { notifications: { resourceSubscriptions: ["u"] } });
  let isAnswered = false;
  void answering.then(() => (isAnswered = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isAnswered).toBe(false);
  // What comes in between waits behind the acknowledgement.
  memory.bus("default").publish({ kind: "resource_updated", uri: "u" });
  connect();
  const stream = readEvents(await answering);
  const [ack, update] = await stream.messages(2);
  expect([ack?.method, update?.method]).toEqual([
    "notifications/subscriptions/acknowledged",
    "notifications/resources/updated",
  ]);
  stream.leave();
});

test("a listener that never reads is let go before what waits for it fills the memory", async () => {
  const memory = createMemoryHub();
  const { ask, events } = rig({}, { hub: memory, maxStoredBytes: 1_000_000 });
  const response = await ask("subscriptions/listen", { notifications: { resourceSubscriptions: ["u"] } });
  const params = { filling: "x".repeat(100_000) };
  for (let n = 0; n < 40; n++) {
    memory.bus("default").publish({ kind: "resource_updated", uri: "u", params });
    await new Promise((resolve) => setTimeout(resolve));
  }
  expect(events).toContainEqual(expect.objectContaining({ type: "connection.closed", reason: "overflow" }));
  await response.body?.cancel();
});

describe("the factory", () => {
  test("is told the era, the request, its message, who asks, and the platform's bindings", async () => {
    const contexts: unknown[] = [];
    const authInfo = { token: "t", clientId: "c", scopes: [] };
    const { ask } = rig(
      {
        createServer: (context) => {
          contexts.push(context);
          return new McpServer(info);
        },
      },
      { authorize: () => ({ principal: "ann", authInfo }) },
    );
    await ask("server/discover", {}, { "X-Own": "1" });
    expect(contexts).toHaveLength(1);
    const [context] = contexts as { request: Request }[];
    expect(context).toMatchObject({ era: "modern", principal: "ann", authInfo });
    expect(context).toMatchObject({ message: { method: "server/discover" }, notify: expect.anything() });
    expect(context).not.toHaveProperty("session");
    expect(context?.request.headers.get("x-own")).toBe("1");
  });

  test("that fails is answered 500, and the log says why", async () => {
    const { ask, events } = rig({
      createServer: () => {
        throw new Error("no database");
      },
    });
    const response = await ask("tools/list");
    expect(response.status).toBe(500);
    expect(await answerOf(response)).toMatchObject({ error: { code: -32603 } });
    expect(events).toContainEqual(expect.objectContaining({ type: "request.error", message: "no database" }));
  });
});

test("a call that is out of time before a stream has begun is answered as JSON", async () => {
  const createServer = (): McpServer => {
    const server = new McpServer(info);
    server.registerTool("never", {}, () => new Promise<never>(() => {}));
    return server;
  };
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const answering = rig({ createServer }, { maxCallMs: 200 }).ask("tools/call", {
    name: "never",
    arguments: {},
  });
  // Its own limit, and the wait for what makes a stream of it.
  while (vi.getTimerCount() < 2) await new Promise((resolve) => setImmediate(resolve));
  await vi.advanceTimersByTimeAsync(250);
  const answer = await answering;
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(await answerOf(answer)).toMatchObject({ error: { data: { reason: "timeout" } } });
});

test.each([-1, 1.5, Number.NaN])("maxListeners %d is refused, by name", (maxListeners) => {
  expect(() => rig({ maxListeners })).toThrow(/maxListeners/);
});

describe("a sealed state", () => {
  const SECRET = "0123456789abcdef0123456789abcdef";
  const context = (principal: string | undefined): Parameters<typeof sealedState>[0] => ({
    era: "modern",
    env: undefined,
    request: new Request("http://localhost/mcp"),
    message: modernRequest("tools/call", { name: "t", arguments: {} }) as never,
    principal,
    authInfo: undefined,
    waitUntil: () => {},
  });
  const call = { mcpReq: { method: "tools/call" } } as never;

  test("is good until it expires", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const states = sealedState<{ n: number }>(context("ann"), { secret: SECRET, ttlSeconds: 60 });
    const state = await states.mint({ n: 1 }, call);
    vi.setSystemTime(Date.now() + 59_000);
    expect(await states.verify(state, call)).toEqual({ n: 1 });
    vi.setSystemTime(Date.now() + 2_000);
    await expect(states.verify(state, call)).rejects.toThrow("expired");
  });

  test("survives a change of the secret while both are listed, and no longer", async () => {
    const next = SECRET.toUpperCase();
    const old = await sealedState(context("ann"), { secret: SECRET }).mint({ n: 1 }, call);
    const both = sealedState(context("ann"), { secret: [next, SECRET] });
    expect(await both.verify(old, call)).toEqual({ n: 1 });
    const fresh = await both.mint({ n: 2 }, call);
    const only = sealedState(context("ann"), { secret: next });
    expect(await only.verify(fresh, call)).toEqual({ n: 2 });
    await expect(only.verify(old, call)).rejects.toThrow();
  });

  test("tells no principal from none", async () => {
    const state = await sealedState(context(undefined), { secret: SECRET }).mint({ n: 1 }, call);
    for (const principal of ["", "null", "undefined"]) {
      await expect(sealedState(context(principal), { secret: SECRET }).verify(state, call)).rejects.toThrow(
        "bind",
      );
    }
  });

  test("needs a secret that is long enough", async () => {
    await expect(sealedState(context("ann"), { secret: "short" }).mint({}, call)).rejects.toThrow(RangeError);
    await expect(sealedState(context("ann"), { secret: [] }).mint({}, call)).rejects.toThrow(RangeError);
  });
});
