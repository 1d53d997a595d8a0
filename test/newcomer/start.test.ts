/** Mistakes of the first hour, named where the server is built: nobody should have to guess which option it was. */
import { McpServer } from "@modelcontextprotocol/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createMcpRouter, type HoldfastEvent } from "../../src/index.ts";
import { createLocalMcp, type LocalMcp, localHost } from "../../src/local/index.ts";
import { serve } from "../../src/local/node.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { requestHandler } from "../../src/request/index.ts";

const createServer = (): McpServer => new McpServer({ name: "newcomer", version: "0" });
const SECRET = "s3cret";

/** As JavaScript calls, which no compiler has seen. */
const local = createLocalMcp as (options?: unknown) => LocalMcp;

let mcp: LocalMcp | undefined;
afterEach(async () => {
  vi.unstubAllEnvs();
  await mcp?.close();
  mcp = undefined;
});

describe("options of the wrong kind are refused by name, and what they hold is not shown", () => {
  test.each<[option: string, value: unknown, says: string]>([
    ["createServer", createServer(), "createServer must be a function, not an object"],
    ["createServer", undefined, "createLocalMcp needs the option createServer: a function"],
    ["authorize", SECRET, "authorize must be a function, not a string"],
    ["allowedOrigins", SECRET, "allowedOrigins must be a list of origins, or a function, not a string"],
    ["allowedOrigins", [/x/], "allowedOrigins must be a list of origins, or a function, not an array"],
    ["allowedHosts", SECRET, "allowedHosts must be a list of strings, not a string"],
    ["allowedHosts", [1], "allowedHosts must be a list of strings, not an array"],
    ["basePath", 1, "basePath must be a string, not 1"],
    ["publicUrl", new URL("https://a.example"), "publicUrl must be a string, not an object"],
    ["modern", true, "modern must be what modernHandler of holdfast/modern returns, not true"],
    ["modern", modernHandler, "modern must be what modernHandler of holdfast/modern returns, not a function"],
    ["sessionKey", "user", "sessionKey must be a function, not a string"],
    ["topic", "tenant", "topic must be a function, not a string"],
    ["rerun", true, "rerun must be a function, not true"],
    ["onEvent", null, "onEvent must be a function, not null"],
    ["onDisconnect", 1, "onDisconnect must be a function, not 1"],
    ["name", 1, "name must be a string, not 1"],
    ["version", 2, "version must be a string, not 2"],
    ["database", {}, "database must be a string, not an object"],
    ["evictAfterMs", "soon", "evictAfterMs must be a whole number from 10 to 86400000, not soon"],
    ["retryMs", "5000", 'retryMs must be a whole number from 0 to 3600000, not "5000"'],
    ["retryMs", null, "retryMs must be a whole number from 0 to 3600000, not null"],
    ["recovery", true, "recovery must be one of revive, rotate, spec, not true"],
  ])("%s: %o", (option, value, says) => {
    expect(() => local({ createServer, [option]: value })).toThrow(says);
    expect(() => local({ createServer, [option]: value })).not.toThrow(SECRET);
  });

  test.each<[given: unknown, was: string]>([
    [undefined, "undefined"],
    [null, "null"],
    [createServer, "a function"],
  ])("createLocalMcp(%o)", (given, was) => {
    expect(() => local(given)).toThrow(`createLocalMcp must be given an object of options, not ${was}`);
  });
});

describe("options that are misspelt are refused, with what was meant", () => {
  test.each([
    ["keepAliveIntervalMs", "keepaliveIntervalMs"],
    ["createserver", "createServer"],
    ["retry", "retryMs"],
    ["onEvents", "onEvent"],
    ["alowedOrigins", "allowedOrigins"],
    ["session_key", "sessionKey"],
    ["databse", "database"],
  ])("%s", (written, meant) => {
    expect(() => local({ createServer, [written]: undefined })).toThrow(
      `createLocalMcp has no option ${written}; did you mean ${meant}?`,
    );
  });

  test("nothing near: no guess", () => {
    expect(() => local({ createServer, colour: "red" })).toThrow(/^createLocalMcp has no option colour$/);
    expect(() => local({ createServer, constructor: 1 })).toThrow(/has no option constructor$/);
  });

  test("in every function that takes options", async () => {
    const host = localHost({ createServer, logLevel: "silent" });
    const call = (build: unknown, options: object) => () => (build as (options: object) => unknown)(options);
    expect(call(createMcpRouter, { host, authorise: 1 })).toThrow("did you mean authorize?");
    expect(call(createMcpRouter, {})).toThrow("createMcpRouter needs the option host: what durableHost or");
    expect(call(localHost, { createServer, databas: 1 })).toThrow("did you mean database?");
    expect(call(modernHandler, { createServer, maxListener: 1 })).toThrow("did you mean maxListeners?");
    expect(call(modernHandler, {})).toThrow("modernHandler needs the option createServer");
    expect(call(requestHandler, { createServe: 1 })).toThrow("did you mean createServer?");
    await expect(call(serve, { fetch, prt: 1 })).rejects.toThrow("did you mean port?");
    await expect(call(serve, {})).rejects.toThrow("serve needs the option fetch: a function");
    await expect(call(serve, { fetch, port: "http" })).rejects.toThrow("port must be a port from 0 to 65535");
    await host.close();
  });
});

describe("variables", () => {
  const variables = (env: object | undefined): Record<string, unknown> => {
    const events: HoldfastEvent[] = [];
    mcp = local({ createServer, env, onEvent: (event: HoldfastEvent) => events.push(event) });
    return { events };
  };

  test("are read by createLocalMcp itself: the code goes before them, and `env: false` leaves them", async () => {
    vi.stubEnv("HOLDFAST_RETRY_MS", "777");
    vi.stubEnv("HOLDFAST_MAX_EVENTS", "77");
    const settings = async (options: object): Promise<Record<string, unknown>> => {
      const built = local({ createServer, logLevel: "silent", ...options });
      const info = await built.router.request("/info");
      await built.close();
      return ((await info.json()) as { settings: Record<string, unknown> }).settings;
    };
    expect(await settings({})).toMatchObject({ retryMs: 777, maxEvents: 77 });
    expect(await settings({ retryMs: 5, maxEvents: undefined })).toMatchObject({ retryMs: 5, maxEvents: 77 });
    expect(await settings({ env: { HOLDFAST_RETRY_MS: "778" } })).toMatchObject({
      retryMs: 778,
      maxEvents: 77,
    });
    expect(await settings({ env: false })).toMatchObject({ retryMs: 3000, maxEvents: 2000 });
    // Blank is unset, of those too that are the host's.
    const blank = { HOLDFAST_RETRY_MS: " ", HOLDFAST_EVICT_AFTER_MS: " ", HOLDFAST_DB: " " };
    expect(await settings({ env: blank })).toMatchObject({ retryMs: 3000, maxEvents: 77 });
  });

  test("`env: false` gives the factory none", async () => {
    const seen: unknown[] = [];
    mcp = local({
      env: false,
      logLevel: "silent",
      createServer: ({ env }: { env: unknown }) => {
        seen.push(env);
        return createServer();
      },
    });
    await mcp.router.request("/mcp", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
    });
    expect(seen).toEqual([undefined]);
  });

  test("a value that is wrong stops the start, by the variable's name", () => {
    vi.stubEnv("HOLDFAST_LOG_LEVEL", "banana");
    expect(() => local({ createServer })).toThrow(
      "HOLDFAST_LOG_LEVEL must be one of info, debug, warn, error, silent, not banana",
    );
  });

  test("the name of one that is none is told, with what was meant, and its value is not", () => {
    vi.stubEnv("HOLDFAST_RETRYMS", SECRET);
    vi.stubEnv("HOLDFAST_RETRY", SECRET);
    vi.stubEnv("HOLDFAST_COLOUR", SECRET);
    vi.stubEnv("HOLDFAST_PORT", "0");
    vi.stubEnv("HOLDFAST_CONSOLE", "1");
    const { events } = variables({ HOLDFAST_STORE: { of: "the user's own" } }) as { events: HoldfastEvent[] };
    const told = events.filter(({ type }) => type === "setup.unknown_variable");
    expect(told.map((event) => "message" in event && event.message).toSorted()).toEqual([
      "HOLDFAST_COLOUR is no setting",
      "HOLDFAST_RETRY is no setting; did you mean HOLDFAST_RETRY_MS?",
      "HOLDFAST_RETRYMS is no setting; did you mean HOLDFAST_RETRY_MS?",
    ]);
    expect(JSON.stringify(events)).not.toContain(SECRET);
  });

  test("name the port and the address of `serve`, which its options go before", async () => {
    const served = async (options: object): Promise<string> => {
      const server = await serve({ fetch: () => new Response("here"), ...options });
      await server.close();
      return server.url;
    };
    vi.stubEnv("PORT", "0");
    expect(await served({})).toMatch(/^http:\/\/127\.0\.0\.1:(?!8787)\d+$/);
    vi.stubEnv("HOLDFAST_HOST", "127.0.0.2");
    expect(await served({})).toMatch(/^http:\/\/127\.0\.0\.2:/);
    expect(await served({ hostname: "127.0.0.1" })).toMatch(/^http:\/\/127\.0\.0\.1:/);
    vi.stubEnv("PORT", "http");
    await expect(served({})).rejects.toThrow("PORT must be a port from 0 to 65535, not http");
    vi.stubEnv("HOLDFAST_PORT", "0");
    expect(await served({ hostname: "127.0.0.1" })).toMatch(/:(?!8787)\d+$/);
    // Blank is unset: no port 0, no host of blanks.
    vi.stubEnv("HOLDFAST_PORT", " ");
    vi.stubEnv("HOLDFAST_HOST", " ");
    await expect(served({})).rejects.toThrow("PORT must be a port from 0 to 65535, not http");
    expect(await served({ port: 0 })).toMatch(/^http:\/\/127\.0\.0\.1:/);
  });
});

test("a runtime without SQLite is told which to take", () => {
  vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined);
  expect(() => local({ createServer, logLevel: "silent" })).toThrow(
    `Holdfast needs Node 22.13, Deno 2.2 or Bun 1.4, or later, for node:sqlite; this is Node ${process.versions.node}`,
  );
  vi.restoreAllMocks();
});

test("bounds that depend on one another are told as such", () => {
  expect(() => local({ createServer, sessionTtlMs: 100 })).toThrow(
    "keepaliveIntervalMs (15000) must be less than sessionTtlMs (100)",
  );
});
