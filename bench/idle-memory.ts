/**
 * `npm run bench:idle [sessions]`: what sessions that are open and idle cost a Node process. Sessions are
 * opened over HTTP, used once, and left; the process' resident memory is shown while they are in memory,
 * and once they have been evicted, against where ten sessions stand. Exits with 1 where it is more than
 * 20 % above that, or where a session of a small server takes more than 8 KB of ours.
 * @module
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createLocalMcp, serve } from "../src/local/node.ts";
import { createExampleServer } from "../worker/example/server.ts";
import type { Weights } from "./lib/weigh-child.ts";

const FEW = 10;
const TOLERATED = 1.2;
/** Long enough to look at the sessions while they are in memory. */
const EVICT_AFTER_MS = 10_000;

/** The most that one session may take of the heap, its server not counted; in bytes. */
const OURS = 8000;

interface Memory {
  readonly inMemory: number;
  readonly rss: number;
  readonly heapUsed: number;
}

/** The server: says where it listens, then what it holds as often as it is asked. */
async function child(database: string): Promise<void> {
  const mcp = createLocalMcp({
    createServer: createExampleServer,
    database,
    evictAfterMs: EVICT_AFTER_MS,
    onEvent() {},
  });
  const server = await serve({ fetch: mcp.router.fetch, port: 0, onClose: mcp.close });
  process.on("message", () => {
    // Garbage is not held, nor are pages that V8 keeps for later: when it would have come round to either is
    // not the question.
    globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
    const { rss, heapUsed } = process.memoryUsage();
    process.send?.({ inMemory: mcp.host.inMemory, rss, heapUsed } satisfies Memory);
  });
  process.send?.(server.url);
}

async function parent(many: number): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "holdfast-"));
  const server = fork(new URL(import.meta.url), ["--child", join(root, "sessions.db")], {
    execArgv: ["--expose-gc", ...process.execArgv],
  });
  try {
    const url = await next<string>(server);
    const rows: [string, Memory][] = [];
    const note = async (what: string): Promise<Memory> => {
      const memory = await look(server);
      rows.push([what, memory]);
      return memory;
    };

    await note("started");
    await openSessions(url, FEW);
    await untilEvicted(server);
    const few = await note(`${FEW} sessions, idle`);
    await openSessions(url, many);
    await note(`${many} more, in memory`);
    await untilEvicted(server);
    const after = await note(`${FEW + many} sessions, idle`);

    console.table(
      Object.fromEntries(
        rows.map(([what, { inMemory, rss, heapUsed }]) => [
          what,
          { "in memory": inMemory, "resident MiB": mebibytes(rss), "heap MiB": mebibytes(heapUsed) },
        ]),
      ),
    );
    const ratio = after.rss / few.rss;
    const isGood = ratio <= TOLERATED;
    console.log(
      `${many} idle sessions: ${(ratio * 100).toFixed(1)} % of where ${FEW} stand (at most ${TOLERATED * 100} %): ${isGood ? "ok" : "TOO MUCH"}`,
    );
    process.exitCode = isGood ? 0 : 1;
    await weigh();
  } finally {
    server.kill("SIGKILL");
    rmSync(root, { recursive: true, force: true });
  }
}

/** What a session of a small server is made of, and what a stream adds to it. */
async function weigh(): Promise<void> {
  const child = fork(new URL("lib/weigh-child.ts", import.meta.url), [], {
    execArgv: ["--expose-gc", ...process.execArgv],
  });
  const { session, server, stream } = await next<Weights>(child);
  const ours = session - server;
  console.table({
    "a session, used and idle": { KB: kilobytes(session) },
    "… of that the SDK's server with two tools": { KB: kilobytes(server) },
    "… of that ours": { KB: kilobytes(ours) },
    "an open standalone stream, without its socket": { KB: kilobytes(stream) },
  });
  console.log(`of ours at most ${kilobytes(OURS)} KB a session: ${ours <= OURS ? "ok" : "TOO MUCH"}`);
  if (ours > OURS) process.exitCode = 1;
}

/** Opens sessions, ten at a time, each with one call. */
async function openSessions(url: string, count: number): Promise<void> {
  for (let left = count; left > 0; left -= FEW) {
    await Promise.all(Array.from({ length: Math.min(FEW, left) }, () => openSession(`${url}/mcp`)));
  }
}

async function openSession(url: string): Promise<void> {
  const post = async (body: object, session?: string): Promise<Response> => {
    const headers = new Headers({
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
    });
    if (session !== undefined) headers.set("Mcp-Session-Id", session);
    const response = await fetch(url, {
      method: "POST",
      headers,
      body: JSON.stringify({ jsonrpc: "2.0", ...body }),
    });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    await response.arrayBuffer();
    return response;
  };
  const clientInfo = { name: "bench", version: "0" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const opened = await post({ id: 1, method: "initialize", params });
  const session = opened.headers.get("mcp-session-id") ?? "";
  await post({ method: "notifications/initialized" }, session);
  await post({ id: 2, method: "tools/call", params: { name: "counter", arguments: {} } }, session);
}

async function untilEvicted(server: ChildProcess): Promise<void> {
  for (let tries = 0; (await look(server)).inMemory > 0; tries++) {
    if (tries > 100) throw new Error("sessions are not evicted");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function look(server: ChildProcess): Promise<Memory> {
  server.send("look");
  return next<Memory>(server);
}

function next<T>(server: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`the server ended with ${code}`));
    server.once("exit", ended);
    server.once("message", (message) => {
      server.off("exit", ended);
      resolve(message as T);
    });
  });
}

function mebibytes(bytes: number): number {
  return Number((bytes / 1_048_576).toFixed(1));
}

function kilobytes(bytes: number): number {
  return Number((bytes / 1000).toFixed(1));
}

const [first = "1000", database = ""] = process.argv.slice(2);
await (first === "--child" ? child(database) : parent(Number(first)));
