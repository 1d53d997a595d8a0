/** What clients that do not read, or do not send, make a Node process keep: it comes back, in a heap of 256 MB. */
import { connect, type Socket } from "node:net";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { type McpSession, openSession } from "../support/mcp.ts";
import { toolCall } from "../support/messages.ts";
import { NODE } from "../support/node.ts";
import { type ProcessServer, startProcess } from "../support/process.ts";
import { type UnfinishedPost, unfinishedPost } from "../support/unfinished-post.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { eventually, within } from "../support/wait.ts";

const MIB = 2 ** 20;
const ENTRY = new URL("large-main.ts", import.meta.url).pathname;
const COMMAND = [...NODE, "--max-old-space-size=256", "--expose-gc"];

let server: ProcessServer | undefined;
// What `fetch` keeps would be among the sockets that are counted.
beforeAll(() => void vi.stubGlobal("fetch", unpooledFetch));
afterEach(() => server?.close());

async function start(vars: Record<string, string>): Promise<ProcessServer> {
  const settings = {
    HOLDFAST_LOG_LEVEL: "silent",
    // Whatever is large goes back to the system when it is let go of, instead of resting in the C library, which
    // learns from each that it frees to keep larger ones: what is resident is what the process holds.
    MALLOC_MMAP_THRESHOLD_: "131072",
  };
  server = await startProcess(COMMAND, { entry: ENTRY, vars: { ...settings, ...vars } });
  return server;
}

interface Footprint {
  rss: number;
  /** Bytes on the heap and beside it. */
  used: number;
  sockets: number;
}

async function footprint(url: string): Promise<Footprint> {
  return (await (await fetch(`${url}/memory`)).json()) as Footprint;
}

/** A call that takes nothing of its answer. */
function unread(url: string, { headers }: McpSession, streamed: boolean): Socket {
  const { hostname, port, host } = new URL(url);
  const body = JSON.stringify(toolCall("large", { streamed }));
  const lines = Object.entries({
    Host: host,
    "Content-Type": "application/json",
    Accept: "application/json, text/event-stream",
    "Content-Length": String(body.length),
    ...headers,
  });
  const socket = connect(Number(port), hostname);
  socket.pause().on("error", () => {});
  socket.write(
    `POST /mcp HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`,
  );
  return socket;
}

/** Bytes that a socket can still read before it is told of its end. */
function drained(socket: Socket): Promise<number> {
  let bytes = 0;
  const closed = new Promise<number>((resolve) => {
    if (socket.destroyed) return resolve(bytes);
    socket.on("data", (chunk: Buffer) => (bytes += chunk.length));
    socket.on("close", () => resolve(bytes));
  });
  socket.resume();
  return within(closed, "the end of a connection");
}

describe("answers that nobody reads", () => {
  test.each([
    ["as JSON", false, { WRITE_TIMEOUT_MS: "1000" }],
    // The stream's own guard alone, which is there on every host.
    [
      "as streams",
      true,
      { WRITE_TIMEOUT_MS: "0", HOLDFAST_SEND_TIMEOUT_MS: "300", HOLDFAST_KEEPALIVE_INTERVAL_MS: "0" },
    ],
  ])(
    "%s: 30 of 15 MB are let go of, and their connections are cut",
    async (_, streamed, vars) => {
      const { url } = await start(vars);
      const before = await footprint(url);
      const session = await openSession(url);
      const sockets: Socket[] = [];
      // One after another: they are to be in memory at once, but not to be built at once.
      for (let n = 0; n < 30; n++) {
        sockets.push(unread(url, session, streamed));
        await session.request({ jsonrpc: "2.0", id: `p${n}`, method: "ping" });
      }
      await eventually(async () => {
        const now = await footprint(url);
        // The one that asks, and those that its `fetch` keeps.
        expect(now.sockets).toBe(1);
        expect(now.used - before.used).toBeLessThan(50 * MIB);
        expect(now.rss - before.rss).toBeLessThan(200 * MIB);
      }, 40_000);
      // What the system had taken for them, and no more.
      for (const bytes of await Promise.all(sockets.map(drained))) {
        expect(bytes).toBeGreaterThan(0);
        expect(bytes).toBeLessThan(15_000_000);
      }
      expect(await session.request({ jsonrpc: "2.0", id: "after", method: "ping" })).toMatchObject({
        result: {},
      });
    },
    60_000,
  );
});

describe("bodies that do not come to their end", () => {
  test("150 of 4 MB: those that find room get 408, the rest 503; then all of it is free again", async () => {
    const { url } = await start({ WRITE_TIMEOUT_MS: "0", HOLDFAST_BODY_TIMEOUT_MS: "3000" });
    const before = await footprint(url);
    const session = await openSession(url);
    const length = 4_000_000;
    const body = "x".repeat(length - 1);
    const sent: UnfinishedPost[] = [];
    for (let n = 0; n < 150; n++) {
      sent.push(unfinishedPost(`${url}/mcp`, { headers: session.headers, length, body }));
    }
    const answers = await Promise.all(sent.map(async ({ answer }) => (await answer).status));
    const timedOut = answers.filter((status) => status === 408).length;
    // Three quarters of 32 MiB have room for six.
    expect(timedOut).toBeGreaterThanOrEqual(6);
    expect(answers.filter((status) => status === 503)).toHaveLength(150 - timedOut);
    await Promise.all(sent.map(({ closed }) => closed));
    await eventually(async () => {
      const now = await footprint(url);
      expect(now.sockets).toBe(1);
      expect(now.used - before.used).toBeLessThan(50 * MIB);
    });
  }, 60_000);
});
