/**
 * workerd itself, as a process of its own that can be killed like one: the test Worker on a real
 * Durable Object with its SQLite file on disk.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { built } from "./built.ts";
import { eventsIn } from "./events-in.ts";
import { makeBundle } from "./worker-bundle.ts";

/** Where a server under test can be reached, and how it can be ended. */
export interface TestServer {
  readonly url: string;
  /** Everything it printed, line by line. */
  readonly lines: string[];
  /** Structured events among the lines. */
  events(): { type: string; [field: string]: unknown }[];
  /** SIGKILL, then waits until the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same storage and the same port. */
  restart(): Promise<void>;
  /** Ends it and removes its storage. */
  close(): Promise<void>;
}

export interface WorkerdOptions {
  /** Settings and other variables of the Worker, read at each start: what is changed in between is a deploy. */
  readonly vars?: Readonly<Record<string, string>>;
  /** The port of the first service: for a Worker that must know its own URL. A free one by default. */
  readonly port?: number;
  /** Entry of the Worker; the test Worker by default. */
  readonly entry?: string;
  /** Number of services, each an isolate of its own, on the same Durable Objects. One by default. */
  readonly services?: number;
  /** Compatibility flags; by default those of the template. */
  readonly flags?: readonly string[];
  /** Code of a Worker that is told of their traces as they come (`tailStream`). */
  readonly tail?: string;
  /** More words for its command line. */
  readonly args?: readonly string[];
  /** V8's, such as `--expose-gc`. */
  readonly v8Flags?: readonly string[];
  /** What stands before it on the command line, such as `stdbuf -oL`; it must become workerd. */
  readonly by?: readonly string[];
}

export interface Workerd extends TestServer {
  readonly pid: number;
  readonly storage: string;
  /** The URL of each service; `url` is the first. */
  readonly urls: readonly string[];
}

/** The package's main module exports the path of the binary, without types. */
const { default: workerdPath } = createRequire(import.meta.url)("workerd") as { default: string };

const TAIL = `const tail :Workerd.Worker = (
  modules = [(name = "tail", esModule = embed "tail.js")],
  compatibilityDate = "2026-08-01",
  compatibilityFlags = ["streaming_tail_worker"],
);
`;

/** The test Worker. */
export const WORKER: string = new URL("../worker/index.ts", import.meta.url).pathname;

const bundles = new Map<string, Promise<string>>();

/** The bundle of a Worker: made for the whole run, or once for each process and entry. */
export function bundleWorker(entry: string): Promise<string> {
  let bundled = bundles.get(entry);
  if (bundled === undefined) {
    const made = built(entry);
    bundled = made === entry ? makeBundle(entry) : readFile(made, "utf8");
    bundles.set(entry, bundled);
  }
  return bundled;
}

/**
 * Claims the port for this process, until it ends, among all that are run on this machine: by the port of the same
 * number of UDP, which no server here uses. A server of TCP is not there before it has started, nor while it is started again.
 */
function claim(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => {
      socket.unref();
      resolve(true);
    });
  });
}

/**
 * A port that is free, and stays so: no other test is given it while this process lives, and it is below the range
 * from which the system takes ports for outgoing connections.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (!(await claim(port))) continue;
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

export async function startWorkerd({
  vars = {},
  port: wanted,
  entry = WORKER,
  services = 1,
  flags = ["enable_request_signal"],
  tail,
  args = [],
  v8Flags = [],
  by = [],
}: WorkerdOptions = {}): Promise<Workerd> {
  const code = await bundleWorker(entry);
  const ports = wanted === undefined ? [] : [wanted];
  ports.push(...(await freePorts(services - ports.length)));
  const names = ports.map((_, index) => (index === 0 ? "main" : `main${index + 1}`));
  const text = (value: string): string => JSON.stringify(value);
  const bindings = (): string[] =>
    Object.entries(vars).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`);
  const namespaces = [
    ["MCP_SESSION", "McpSession"],
    ["MCP_HUB", "McpHub"],
  ].map(
    ([name, of]) =>
      `(name = "${name}", durableObjectNamespace = (className = "${of}", serviceName = "main"))`,
  );
  const objects = `durableObjectNamespaces = [
    (className = "McpSession", uniqueKey = "holdfast", enableSql = true),
    (className = "McpHub", uniqueKey = "holdfast-hub", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "storage"),`;
  const config = (storage: string): string =>
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = ${JSON.stringify(v8Flags)},
  services = [
    ${names.map((name) => `(name = "${name}", worker = .${name}),`).join(" ")}
    ${tail === undefined ? "" : '(name = "tail", worker = .tail),'}
    (name = "storage", disk = (path = ${text(storage)}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [${ports
    .map((at, n) => `(name = "http${n}", address = "127.0.0.1:${at}", http = (), service = "${names[n]}")`)
    .join(", ")}],
);
${names
  .map(
    (name) => `const ${name} :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2026-08-01",
  compatibilityFlags = ${JSON.stringify(flags)},
  ${name === "main" ? objects : ""}
  bindings = [${[...namespaces, ...bindings()].join(", ")}],
  ${tail === undefined ? "" : 'streamingTails = ["tail"],'}
);
`,
  )
  .join("")}${tail === undefined ? "" : TAIL}`;
  return runWorkerd({ config, files: { "worker.js": code, "tail.js": tail ?? "" }, ports, args, by });
}

/** That many different ports, see {@link freePort}. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

export interface WorkerdSetup {
  /** The configuration, in capnp, for this folder of storage; asked for at each start. */
  readonly config: (storage: string) => string;
  /** What stands beside it, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** The ports of its sockets; `/health` of the first says that it is up. */
  readonly ports: readonly number[];
  /** More words for its command line, and what stands before it. */
  readonly args?: readonly string[];
  readonly by?: readonly string[];
}

/** Runs workerd by a configuration, on storage of its own. */
export async function runWorkerd({
  config,
  files,
  ports,
  args = [],
  by = [],
}: WorkerdSetup): Promise<Workerd> {
  const root = mkdtempSync(join(tmpdir(), "holdfast-"));
  const storage = join(root, "storage");
  mkdirSync(storage);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  const [port] = ports;

  const lines: string[] = [];
  let child: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    writeFileSync(join(root, "config.capnp"), config(storage));
    const [command, ...before] = [...by, workerdPath];
    const words = [...before, "serve", "--experimental", ...args, join(root, "config.capnp")];
    const started = spawn(command ?? workerdPath, words, {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child = started;
    for (const input of [started.stdout, started.stderr]) {
      createInterface({ input }).on("line", (line) => lines.push(line));
    }
    await untilReachable(`http://127.0.0.1:${port}/health`, () => {
      // Quoted: vitest takes "at worker:1:2" for a frame of the test's, and dies of the folder `worker`.
      const said = (): string => lines.map((line) => `> ${line.replace(/^\s*at /, "")}`).join("\n");
      if (started.exitCode !== null) throw new Error(`workerd ended:\n${said()}`);
    });
  };

  const kill = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const gone = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await gone;
  };

  const close = async (): Promise<void> => {
    await kill();
    rmSync(root, { recursive: true, force: true });
  };

  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url: `http://127.0.0.1:${port}`,
    get pid() {
      return child?.pid ?? 0;
    },
    urls: ports.map((at) => `http://127.0.0.1:${at}`),
    storage,
    lines,
    events: () => eventsIn(lines),
    kill,
    restart: async () => {
      await kill();
      await start();
    },
    close,
  };
}

/** Waits until the URL answers at all. `check` may give up earlier. */
async function untilReachable(url: string, check: () => void): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    check();
    try {
      await (await fetch(url)).body?.cancel();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
  throw new Error(`${url} did not answer`);
}
