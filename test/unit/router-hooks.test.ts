/** Hooks of the router: what they throw or return wrongly is told once, and admits nobody. */
import { McpServer } from "@modelcontextprotocol/server";
import { afterEach, describe, expect, it } from "vitest";
import type { HoldfastEvent } from "../../src/index.ts";
import { createLocalMcp, type LocalMcp, type LocalMcpOptions } from "../../src/local/index.ts";
import { ACCEPT_BOTH } from "../support/mcp.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { initialize } from "../support/messages.ts";
import { headersFor, modernRequest } from "../support/modern.ts";

const ORIGIN = "http://localhost:3000";
let mcp: LocalMcp | undefined;
afterEach(() => mcp?.close());

type Errors = Extract<HoldfastEvent, { type: "hook.error" }>[];

/** A router with these hooks, and what it reports of them. */
function routed(hooks: object): {
  send: (path: string, method?: string) => Promise<Response>;
  errors: Errors;
} {
  const errors: Errors = [];
  const options: LocalMcpOptions = {
    createServer: () => new McpServer({ name: "hooks", version: "0" }),
    onEvent: (event) => {
      if (event.type === "hook.error" || event.type === "request.error") errors.push(event as Errors[number]);
    },
    ...hooks,
  };
  const { router } = (mcp = createLocalMcp(options));
  return {
    errors,
    send: async (path, method = "POST") =>
      router.request(path, {
        method,
        headers: { Accept: ACCEPT_BOTH, "Content-Type": "application/json", Origin: ORIGIN },
        ...(method === "POST" ? { body: JSON.stringify(initialize()) } : {}),
      }),
  };
}

async function expectFailed(answer: Response, hasCors: boolean = true): Promise<void> {
  expect(answer.status).toBe(500);
  expect(answer.headers.get("mcp-session-id")).toBeNull();
  expect(answer.headers.get("access-control-allow-origin")).toBe(hasCors ? ORIGIN : null);
  expect(await answer.json()).toMatchObject({ error: { code: -32603, message: "Internal error" } });
}

const SECRET = "s3cret";

describe("authorize", () => {
  it.each<[what: string, judged: unknown]>([
    ["no principal", {}],
    ["an undefined principal", { principal: undefined }],
    ["a null principal", { principal: null }],
    ["an empty principal", { principal: "" }],
    ["a number", { principal: 42.5 }],
    ["true", { principal: true }],
    ["an object", { principal: { id: SECRET } }],
    ["a promise", { principal: Promise.resolve(SECRET) }],
    ["half a surrogate", { principal: `${SECRET}\ud800` }],
    ["too long a principal", { principal: SECRET.repeat(200) }],
    ["a string alone", SECRET],
    ["false", false],
  ])("that gives %s admits nobody, and says what to return", async (_, judged) => {
    for (const hook of [() => judged, () => Promise.resolve(judged)]) {
      const { send, errors } = routed({ authorize: hook });
      for (const [path, method] of [["/mcp"], ["/mcp", "GET"], ["/sse", "GET"], ["/info", "GET"]] as const) {
        await expectFailed(await send(path, method));
      }
      expect(errors).toHaveLength(4);
      for (const { type, hook: name, message } of errors) {
        expect({ type, name }).toEqual({ type: "hook.error", name: "authorize" });
        expect(message).toMatch(/must return .*string of 1 to 1024 characters/);
        expect(message).not.toContain(SECRET);
      }
    }
  });

  it.each<[what: string, authorize: () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("the user table is away");
      },
    ],
    ["rejects", () => Promise.reject(new Error("the user table is away"))],
  ])("that %s is one event with its stack", async (_, authorize) => {
    const { send, errors } = routed({ authorize });
    await expectFailed(await send("/mcp"));
    expect(errors).toEqual([
      expect.objectContaining({ type: "hook.error", hook: "authorize", message: "the user table is away" }),
    ]);
    expect(errors[0]?.stack).toContain("router-hooks");
  });

  it.each<[what: string, judged: unknown, status: number]>([
    ["undefined", undefined, 401],
    ["null", null, 401],
    ["a Response", new Response("no", { status: 418 }), 418],
    ["a principal", { principal: "ü😀" }, 200],
    ["the longest principal", { principal: "x".repeat(1024) }, 200],
  ])("that gives %s is obeyed", async (_, judged, status) => {
    const { send, errors } = routed({ authorize: () => judged });
    expect((await send("/mcp")).status).toBe(status);
    expect(errors).toEqual([]);
  });
});

/** For hooks that never settle. */
const never = (): Promise<never> => new Promise(() => {});

describe("a hook that never settles", () => {
  const initializeTimeoutMs = 20;

  it("authorize: 503 for whoever asks, and one event each", async () => {
    const { send, errors } = routed({ authorize: never, initializeTimeoutMs });
    for (const [path, method] of [["/mcp"], ["/mcp", "GET"], ["/mcp", "DELETE"], ["/sse", "GET"]] as const) {
      const answer = await send(path, method);
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(answer.headers.get("access-control-allow-origin")).toBe(ORIGIN);
    }
    expect(errors).toHaveLength(4);
    for (const error of errors) {
      expect(error).toMatchObject({
        type: "hook.error",
        hook: "authorize",
        message: "authorize has not settled within 20 ms",
      });
    }
  });

  it("authorize: what it brings too late admits nobody, and a rejection is nobody's", async () => {
    let bring: (judged: unknown) => void = () => {};
    const late = (): Promise<unknown> => new Promise((resolve) => (bring = resolve));
    const { send } = routed({ authorize: late, initializeTimeoutMs });
    expect((await send("/mcp")).status).toBe(503);
    bring(Promise.reject(new Error("too late")));
    expect((await send("/mcp")).status).toBe(503);
    bring({ principal: "ada" });
  });

  it("console: 500", async () => {
    const { send, errors } = routed({ console: never, initializeTimeoutMs });
    await expectFailed(await send("/test", "GET"), false);
    expect(errors).toEqual([expect.objectContaining({ type: "hook.error", hook: "console" })]);
  });

  const calling = { method: "tools/call", params: { name: "guarded", arguments: {} } };
  const guarded = (): McpServer => {
    const server = new McpServer({ name: "hooks", version: "0" });
    server.registerTool("guarded", { scopeChallenge: never }, () => ({ content: [] }));
    return server;
  };
  const post = (message: object, headers: Record<string, string> = {}): Promise<Response> =>
    Promise.resolve(
      (mcp as LocalMcp).router.request("/mcp", {
        method: "POST",
        headers: { Accept: ACCEPT_BOTH, "Content-Type": "application/json", ...headers },
        body: JSON.stringify(message),
      }),
    );
  const isScope = expect.objectContaining({ type: "hook.error", hook: "scopeChallenge" });

  it("a scope resolver, in a session and without one: the call is answered that it could not be judged", async () => {
    const { send, errors } = routed({ createServer: guarded, initializeTimeoutMs });
    const opened = await send("/mcp");
    const session = opened.headers.get("mcp-session-id") ?? "";
    await opened.text();
    for (const headers of [{ "Mcp-Session-Id": session }, undefined]) {
      const answer = await post({ jsonrpc: "2.0", id: 7, ...calling }, headers);
      const said = (await answer.json()) as { error: { message: string } };
      expect(said).toMatchObject({ id: 7 });
      expect(said.error.message).toContain("could not be checked");
    }
    expect(errors).toEqual([isScope, isScope]);
  });

  it("a scope resolver, and a factory, of 2026-07-28: an error", async () => {
    const message = modernRequest(calling.method, calling.params, 7);
    for (const [createServer, hook] of [
      [guarded, "scopeChallenge"],
      [never, "createServer"],
    ] as const) {
      const { errors } = routed({ modern: modernHandler({ createServer }), initializeTimeoutMs });
      const answer = await post(message, headersFor(message));
      expect(answer.status).toBe(500);
      expect(await answer.json()).toMatchObject({ id: 7, error: { code: -32603 } });
      expect(errors.map((error) => error.hook)).toContain(hook);
      await mcp?.close();
    }
  });
});

describe("sessionKey", () => {
  it.each<[what: string, sessionKey: () => unknown]>([
    ["gives a promise", () => Promise.resolve("key")],
    ["never settles", never],
    ["rejects", () => Promise.reject(new Error("no key"))],
    [
      "throws",
      () => {
        throw new Error("no key");
      },
    ],
  ])("that %s is one event, and 500", async (_, sessionKey) => {
    const { send, errors } = routed({ sessionKey, authorize: () => ({ principal: "ada" }) });
    await expectFailed(await send("/mcp"));
    expect(errors).toEqual([expect.objectContaining({ type: "hook.error", hook: "sessionKey" })]);
  });
});

describe("topic", () => {
  it.each<[what: string, topic: () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no tenant");
      },
    ],
    ["gives nothing", () => undefined],
    ["gives an empty string", () => ""],
    ["gives a promise", () => Promise.resolve("tenant")],
    ["rejects", () => Promise.reject(new Error("no tenant"))],
    ["gives half a surrogate", () => "\udc00"],
  ])("that %s is one event, and 500", async (_, topic) => {
    const { send, errors } = routed({ topic });
    await expectFailed(await send("/mcp"));
    expect(errors).toEqual([expect.objectContaining({ type: "hook.error", hook: "topic" })]);
  });
});

describe("allowedOrigins", () => {
  const foreign = "https://app.example";
  const from = (router: LocalMcp["router"]): Promise<Response> =>
    Promise.resolve(router.request("/info", { headers: { Origin: foreign } }));

  it.each<[what: string, allowedOrigins: () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no list");
      },
    ],
    ["gives a promise of false", () => Promise.resolve(false)],
    ["rejects", () => Promise.reject(new Error("no list"))],
    ["gives what is no boolean", () => "no"],
    ["gives nothing", () => undefined],
  ])("that %s admits no page", async (_, allowedOrigins) => {
    const { errors } = routed({ allowedOrigins });
    const answer = await from((mcp as LocalMcp).router);
    expect(answer.status).toBe(500);
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    expect(errors).toEqual([expect.objectContaining({ type: "hook.error", hook: "allowedOrigins" })]);
  });

  it("is asked only where nothing else decides, and then obeyed", async () => {
    const { send, errors } = routed({ allowedOrigins: (origin: string) => origin === foreign });
    expect((await send("/mcp")).status).toBe(200);
    expect((await from((mcp as LocalMcp).router)).status).toBe(200);
    expect(errors).toEqual([]);
  });
});

describe("console", () => {
  it.each<[what: string, page: () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no page");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no page"))],
    ["gives nothing", () => undefined],
    ["gives what is no response", () => ({ status: 200 })],
  ])("that %s is one event, and 500", async (_, page) => {
    const { send, errors } = routed({ console: page });
    await expectFailed(await send("/test", "GET"), false);
    expect(errors).toEqual([expect.objectContaining({ type: "hook.error", hook: "console" })]);
  });
});
