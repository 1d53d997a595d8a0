/**
 * `node bench/upstream/request-order.ts`: what the SDK's order of recognising messages costs a server, and
 * what it would cost the other way round; the report that goes with it is `request-order.md`.
 *
 * Each subject is a process of its own, with the SDK's server behind a transport that only hands messages
 * over, no HTTP and nothing of Holdfast. `reordered` is a copy of the same package with the one condition
 * put before the two checks; the copy is removed at the end, and nothing that anybody installs is changed.
 * @module
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PerformanceObserver } from "node:perf_hooks";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { brief, interleaved, median, pairwise } from "../lib/stats.ts";

const CALLS = 20_000;
const IN_FLIGHT = 16;
const ROUNDS = 9;

/** What the SDK asks first of each message, and what would spare a request both questions. */
const ASKED = /if \((isJSONRPCResultResponse\(message\) \|\| isJSONRPCErrorResponse\(message\))\)/;
const SPARED = "if (message.method === undefined && ($1))";

/** One window: microseconds of processor time a call, and milliseconds of collections per 1,000 calls. */
interface Window {
  cpu: number;
  collections: number;
}

interface Message {
  jsonrpc: "2.0";
  id?: number;
  method?: string;
  params?: unknown;
}

interface Wire {
  onmessage?: (message: Message) => void;
  start(): Promise<void>;
  close(): Promise<void>;
  send(message: Message): Promise<void>;
}

/** The majors of the SDK: where the server is, under which package, and which folder holds its code. */
const MAJORS = [
  { major: "1", name: "@modelcontextprotocol/sdk", code: "dist/esm", entry: "server/mcp.js" },
  { major: "2", name: "@modelcontextprotocol/server", code: "dist", entry: "index.mjs" },
] as const;

const modules = join(import.meta.dirname, "../../node_modules");
if (process.argv[2] === undefined) await compare();
else await serve(process.argv[2]);

async function compare(): Promise<void> {
  const scratch = mkdtempSync(join(modules, ".request-order-"));
  const children: ChildProcess[] = [];
  try {
    for (const { major, name, code, entry } of MAJORS) {
      const original = join(modules, name);
      const copy = join(scratch, major);
      cpSync(original, copy, { recursive: true, dereference: true });
      reorder(join(copy, code));
      const { version } = JSON.parse(readFileSync(join(original, "package.json"), "utf8")) as {
        version: string;
      };
      const start = (folder: string): ChildProcess => {
        const child = fork(fileURLToPath(import.meta.url), [join(folder, code, entry)]);
        children.push(child);
        return child;
      };
      const subjects = [start(original), start(copy)] as const;
      await interleaved(subjects, 2, measure);
      const rounds = await interleaved(subjects, ROUNDS, measure);
      const [today, reordered] = subjects.map((subject) => rounds.get(subject) ?? []) as [Window[], Window[]];
      const row = (order: string, windows: Window[]): Record<string, string> => ({
        SDK: version,
        order,
        "CPU µs a call": brief(median(windows.map(({ cpu }) => cpu))),
        "× today's": brief(pairwise(windows, today, "cpu")),
        "collections, ms per 1,000 calls": brief(median(windows.map((one) => one.collections))),
      });
      console.table([row("as published", today), row("request first", reordered)]);
    }
  } finally {
    for (const child of children) child.kill();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Puts the condition before the two checks in the one file that asks them of each message. */
function reorder(folder: string): void {
  const changed = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => {
    if (!/\.m?js$/.test(file)) return false;
    const path = join(folder, file);
    const text = readFileSync(path, "utf8");
    // The client's and the server's transports ask it too, of what they send: that is another place.
    const found = ASKED.exec(text);
    if (found === null || !text.slice(found.index, found.index + 160).includes("_onresponse")) return false;
    writeFileSync(path, text.replace(ASKED, SPARED));
    return true;
  });
  if (changed.length === 0) throw new Error(`No such check in ${folder}: has the SDK changed?`);
}

async function measure(child: ChildProcess): Promise<Window> {
  child.send("go");
  const [window] = (await once(child, "message")) as [Window];
  return window;
}

/** A subject: answers each message of its parent with a window. */
async function serve(entry: string): Promise<void> {
  const { McpServer } = (await import(pathToFileURL(entry).href)) as {
    McpServer: new (info: { name: string; version: string }) => {
      registerTool(name: string, config: object, handler: (args: { text: string }) => object): void;
      connect(transport: Wire): Promise<void>;
    };
  };
  const inputSchema = { text: z.string() };
  const server = new McpServer({ name: "subject", version: "1" });
  server.registerTool(
    "echo",
    { inputSchema: dirname(entry).includes("esm") ? inputSchema : z.object(inputSchema) },
    ({ text }) => ({ content: [{ type: "text", text }] }),
  );
  let answered: (() => void) | undefined;
  const wire: Wire = {
    start: () => Promise.resolve(),
    close: () => Promise.resolve(),
    send: (message) => {
      if (!("result" in message)) throw new Error(`Refused: ${JSON.stringify(message)}`);
      answered?.();
      return Promise.resolve();
    },
  };
  await server.connect(wire);
  const say = (message: Omit<Message, "jsonrpc">): void => wire.onmessage?.({ jsonrpc: "2.0", ...message });
  say({
    id: 0,
    method: "initialize",
    params: {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "request-order", version: "1" },
    },
  });
  say({ method: "notifications/initialized" });

  let collections = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collections += duration;
  }).observe({ entryTypes: ["gc"] });

  let id = 0;
  const params = { name: "echo", arguments: { text: "hello" } };
  process.on("message", async () => {
    collections = 0;
    const before = process.cpuUsage();
    for (let left = CALLS; left > 0; left -= IN_FLIGHT) {
      await new Promise<void>((resolve) => {
        let open = IN_FLIGHT;
        answered = () => {
          if (--open === 0) setImmediate(resolve);
        };
        for (let turn = 0; turn < IN_FLIGHT; turn++)
          say({ id: ++id, method: "tools/call", params: structuredClone(params) });
      });
    }
    const { user, system } = process.cpuUsage(before);
    process.send?.({ cpu: (user + system) / CALLS, collections: (collections / CALLS) * 1000 });
  });
}
