/**
 * What one session and one open stream take of a process's heap, by the difference that a thousand of each make. Run
 * with `--expose-gc`; says so to its parent in bytes.
 * @module
 */
import process from "node:process";
import type { McpServer } from "@modelcontextprotocol/server";
import { createLocalMcp } from "../../src/local/node.ts";
import { sdkServer } from "./servers.ts";

/** Bytes of heap. The stream is without its socket: edge, link and session. */
export interface Weights {
  readonly session: number;
  /** Of that, the SDK's server by itself. */
  readonly server: number;
  readonly stream: number;
}

const MANY = 1000;
/** First some that are not counted: what is made once, and code. */
const FEW = 50;
const TYPES = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" };

async function heapAfter(act: () => Promise<unknown>, times: number): Promise<number> {
  for (let n = 0; n < times; n++) await act();
  // Timers, and the streams' first bytes.
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (let n = 0; n < 2; n++) {
    globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  }
  return process.memoryUsage().heapUsed;
}

async function each(act: () => Promise<unknown>): Promise<number> {
  const before = await heapAfter(act, FEW);
  return ((await heapAfter(act, MANY)) - before) / MANY;
}

const createServer = sdkServer(2);
const held: unknown[] = [];

const server = await each(async () => {
  const alone: McpServer = createServer();
  held.push(alone);
  const nothing = (): Promise<void> => Promise.resolve();
  await alone.connect({ start: nothing, send: nothing, close: nothing });
});

const { router } = createLocalMcp({ createServer, onEvent() {} });
const sessions: Record<string, string>[] = [];
let attached = 0;

const post = async (headers: Record<string, string>, body: object): Promise<Response> => {
  const response = await router.request("/mcp", {
    method: "POST",
    headers,
    body: JSON.stringify({ jsonrpc: "2.0", ...body }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  await response.arrayBuffer();
  return response;
};

const session = await each(async () => {
  const clientInfo = { name: "bench", version: "0" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const opened = await post(TYPES, { id: 1, method: "initialize", params });
  const headers = { ...TYPES, "Mcp-Session-Id": opened.headers.get("mcp-session-id") ?? "" };
  await post(headers, { method: "notifications/initialized" });
  await post(headers, { id: 2, method: "tools/call", params: { name: "echo", arguments: { text: "a" } } });
  sessions.push(headers);
});

const stream = await each(async () => {
  const headers = { ...sessions[attached++], Accept: "text/event-stream" };
  const { body } = await router.request("/mcp", { headers });
  const reader = body?.getReader();
  await reader?.read();
  held.push(reader, reader?.read());
});

process.send?.({ session, server, stream } satisfies Weights);
process.disconnect?.();
process.exit(0);
