/** `holdfast/testing`: what it says of restarts, kills and the clock, by the servers that users write. */
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { McpServer } from "@modelcontextprotocol/server";
import { Hono } from "hono";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import type { ServerContext } from "../../src/index.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { testServer, type TestServer } from "../../src/testing/index.ts";

const text = (value: unknown): { content: { type: "text"; text: string }[] } => ({
  content: [{ type: "text", text: String(value) }],
});
const textOf = (result: unknown): string =>
  (result as { content: { text: string }[] }).content[0]?.text ?? "";

/** Gates of calls under way, by name. */
const gates = new Map<string, () => void>();
let starts = 0;
let built = 0;

const createServer = ({ session }: ServerContext): McpServer => {
  built += 1;
  const server = new McpServer({ name: "tested", version: "1.0.0" });
  server.registerTool("count", {}, () => {
    const count = (session?.state.get<number>("count") ?? 0) + 1;
    session?.state.set("count", count);
    return text(count);
  });
  server.registerTool("wait", { inputSchema: z.object({ name: z.string() }) }, async ({ name }) => {
    starts += 1;
    await new Promise<void>((resolve) => gates.set(name, resolve));
    session?.state.set("count", 1000);
    return text("done");
  });
  return server;
};

const newClient = (): Client => new Client({ name: "test", version: "1" });
const count = async (client: Client): Promise<string> =>
  textOf(await client.callTool({ name: "count", arguments: {} }));
/** Until the tool is there. */
const begun = async (name: string): Promise<void> => expect.poll(() => gates.has(name)).toBe(true);

let server: TestServer;
afterEach(async () => {
  for (const open of gates.values()) open();
  gates.clear();
  await server.close();
});

test.each(["kill", "close"] as const)("a session goes on after a restart by %s", async (how) => {
  server = testServer({ createServer });
  const client = await server.connect(newClient());
  expect(await count(client)).toBe("1");
  const before = built;
  await server.restart(how);
  expect(await count(client)).toBe("2");
  expect(built).toBe(before + 1);
  await server.restart(how);
  expect(await count(client)).toBe("3");
});

test("clients of SDK v1 connect as well", async () => {
  server = testServer({ createServer });
  const client = await server.connect(new ClientV1({ name: "test", version: "1" }) as never as Client);
  await server.restart();
  expect(await count(client)).toBe("1");
});

test("a call in flight ends with one error after a kill, and what its tool stores later is not stored", async () => {
  server = testServer({ createServer });
  const client = await server.connect(newClient());
  expect(await count(client)).toBe("1");
  const call = client.callTool({ name: "wait", arguments: { name: "killed" } });
  const failed = expect(call).rejects.toMatchObject({ code: -32603, data: { reason: "interrupted" } });
  await begun("killed");
  // It has become a stream: one that was cut before cannot be resumed, and breaks as any HTTP request.
  await expect.poll(async () => (await streams()).length).toBeGreaterThan(0);
  await server.restart();
  gates.get("killed")?.();
  await failed;
  expect(await count(client)).toBe("2");
});

/** Streams of calls that the server holds. */
async function streams(): Promise<unknown[]> {
  const { sessions } = await server.mcp.sessions.list();
  const detail = await server.mcp.sessions.get(sessions[0]?.id ?? "");
  return detail?.streams.filter(({ kind }) => kind === "call") ?? [];
}

test("a call that may run again does", async () => {
  const from = starts;
  server = testServer({ createServer, rerun: ({ params }) => params?.["name"] === "wait" });
  const client = await server.connect(newClient());
  const call = client.callTool({ name: "wait", arguments: { name: "again" } });
  await begun("again");
  await expect.poll(async () => (await streams()).length).toBeGreaterThan(0);
  gates.delete("again");
  await server.restart();
  await begun("again");
  gates.get("again")?.();
  expect(textOf(await call)).toBe("done");
  expect(starts - from).toBe(2);
});

test("the clock ends sessions and empties memory, without anybody waiting", async () => {
  const ended: string[] = [];
  server = testServer({
    createServer,
    sessionTtlMs: 3_600_000,
    recovery: "spec",
    onEvent: ({ type }) => void ended.push(type),
  });
  const opened = await server.fetch(server.url, initialize());
  const session = opened.headers.get("Mcp-Session-Id") ?? "";
  await opened.body?.cancel();
  const ping = (): Promise<Response> =>
    server.fetch(server.url, post({ jsonrpc: "2.0", id: 2, method: "ping" }, session));
  expect((await ping()).status).toBe(200);
  await server.advance(120_000);
  expect(server.mcp.host.inMemory).toBe(0);
  expect((await ping()).status).toBe(200);
  await server.advance(7_200_000);
  expect((await ping()).status).toBe(404);
  expect(ended).toContain("session.expired");
  await expect(server.advance(-1)).rejects.toThrow(RangeError);
});

test("the clock outlasts a restart", async () => {
  server = testServer({ createServer });
  await server.advance(1_000_000);
  await server.restart();
  expect(server.now() - Date.now()).toBeGreaterThan(999_000);
});

test("the killed say no more", async () => {
  const events: string[] = [];
  server = testServer({ createServer, onEvent: ({ type }) => void events.push(type) });
  const client = await server.connect(newClient());
  const call = client.callTool({ name: "wait", arguments: { name: "late" } }).catch(() => "failed");
  await begun("late");
  await expect.poll(async () => (await streams()).length).toBeGreaterThan(0);
  await server.restart();
  expect(await call).toBe("failed");
  // It stores where nothing is any more.
  gates.get("late")?.();
  await server.close();
  expect(events).toContain("session.interrupted");
  expect(events).not.toContain("request.error");
});

test.each([
  ["kill", "breaks"],
  ["close", "ends in order"],
] as const)("a %s: an open stream %s", async (how, end) => {
  server = testServer({ createServer });
  const opened = await server.fetch(server.url, initialize());
  const session = opened.headers.get("Mcp-Session-Id") ?? "";
  await opened.text();
  const initialized = { jsonrpc: "2.0", method: "notifications/initialized" };
  await server.fetch(server.url, post(initialized, session));
  const { headers } = post({}, session) as { headers: Record<string, string> };
  const stream = await server.fetch(server.url, { headers: { ...headers, Accept: "text/event-stream" } });
  expect(stream.status).toBe(200);
  const read = stream.text().then(
    () => "ends in order",
    (error: unknown) => (error instanceof TypeError ? "breaks" : error),
  );
  await server.restart(how);
  expect(await read).toBe(end);
});

test("`modern` comes from a function, as a process that starts makes it", async () => {
  expect(() => testServer({ createServer, modern: modernHandler({ createServer }) })).toThrow(
    /from a function/,
  );
  server = testServer(() => ({ createServer, modern: modernHandler({ createServer }) }));
  const client = await server.connect(
    new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: { pin: "2026-07-28" } } }),
  );
  expect(await count(client)).toBe("1");
  await server.restart("close");
  expect(await count(client)).toBe("1");
});

test("an app around the router is tried whole, headers and all", async () => {
  server = testServer({
    createServer: ({ session }) => {
      const mcp = new McpServer({ name: "who", version: "1.0.0" });
      mcp.registerTool("who", {}, () => text(session?.principal));
      return mcp;
    },
    path: "/api/mcp",
    authorize: (request) => {
      const [, name] = request.headers.get("Authorization")?.split(" ") ?? [];
      return name === undefined ? undefined : { principal: name };
    },
    app: ({ router }) => new Hono().route("/api", router),
  });
  await expect(server.connect(newClient())).rejects.toThrow();
  const client = await server.connect(newClient(), { headers: { Authorization: "Bearer ann" } });
  expect(textOf(await client.callTool({ name: "who", arguments: {} }))).toBe("ann");
});

test("it leaves no file, and refuses what createLocalMcp refuses", async () => {
  const there = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("holdfast-testing-"));
  const before = there();
  expect(() => testServer({ createServer, retryMs: -1 })).toThrow(/retryMs/);
  expect(there()).toEqual(before);
  server = testServer({ createServer });
  expect(there().length).toBe(before.length + 1);
  await server.restart();
  await server.close();
  expect(there()).toEqual(before);
  await expect(server.fetch(server.url)).rejects.toThrow(TypeError);
  server = testServer({ createServer });
});

test("a client that leaves is gone for the server, too", async () => {
  server = testServer({ createServer });
  const client = newClient();
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url), { fetch: server.fetch }));
  const connected = async (): Promise<boolean | undefined> => {
    const { sessions } = await server.mcp.sessions.list();
    const detail = await server.mcp.sessions.get(sessions[0]?.id ?? "");
    return detail?.streams.some(({ connection }) => connection !== undefined);
  };
  await expect.poll(connected).toBe(true);
  await client.close();
  await expect.poll(connected).toBe(false);
});

function post(message: object, session?: string): RequestInit {
  return {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      "MCP-Protocol-Version": "2025-11-25",
      ...(session !== undefined && { "Mcp-Session-Id": session }),
    },
    body: JSON.stringify(message),
  };
}

function initialize(): RequestInit {
  return post({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
  });
}
