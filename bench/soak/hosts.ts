/** The servers that are soaked, and how one looks into them from outside. @module */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { NODE } from "../../test/support/node.ts";
import { startProcess } from "../../test/support/process.ts";
import { unpooledFetch } from "../../test/support/unpooled-fetch.ts";
import { freePort, startWorkerd, type TestServer } from "../../test/support/workerd.ts";
import { openInspector } from "../lib/inspector.ts";

/** A server with its memory open to view. */
export interface SoakServer extends TestServer {
  readonly pid: number;
  /** Bytes in use once all garbage is gone. */
  memory(): Promise<{ readonly heap: number; readonly resident: number }>;
  /** Has the object of this session die; undefined where sessions have none. */
  readonly abort: ((session: string) => Promise<void>) | undefined;
}

/** A kind of server. */
export interface SoakHost {
  readonly name: "node" | "workerd";
  /** Descriptors that a session with an open stream takes of the server. */
  readonly filesEach: number;
  /** Bytes of memory that one takes. */
  readonly bytesEach: number;
  start(vars: Readonly<Record<string, string>>): Promise<SoakServer>;
}

const file = (path: string): string => new URL(path, import.meta.url).pathname;

async function look(server: TestServer, name: string): Promise<Response> {
  const response = await unpooledFetch(`${server.url}/__bench/${name}`);
  if (!response.ok) throw new Error(`${name} was answered ${response.status}`);
  return response;
}

const node: SoakHost = {
  name: "node",
  filesEach: 1,
  bytesEach: 64 * 1024,
  async start(vars) {
    const server = await startProcess([...NODE, "--expose-gc"], { entry: file("node.ts"), vars });
    return Object.defineProperties(server as TestServer as SoakServer, {
      memory: { value: async () => (await look(server, "memory")).json() },
      abort: { value: undefined },
    });
  },
};

const workerd: SoakHost = {
  name: "workerd",
  // Its connection and the link behind it, both again while it comes back (all do at once, and where descriptors run out
  // workerd resets connections or ends), the three files of its object's database, and those of one that was left.
  filesEach: 8,
  bytesEach: 640 * 1024,
  async start(vars) {
    const port = await freePort();
    const server = await startWorkerd({
      entry: file("../worker/soak.ts"),
      vars,
      args: [`--inspector-addr=127.0.0.1:${port}`],
      v8Flags: ["--expose-gc"],
    });
    return Object.defineProperties(server as TestServer as SoakServer, {
      memory: {
        async value() {
          for (let n = 0; n < 3; n++) await look(server, "gc");
          const inspector = await openInspector(port);
          try {
            const usage = (await inspector.ask("Runtime.getHeapUsage")) as {
              usedSize: number;
              backingStorageSize: number;
            };
            return { heap: usage.usedSize + usage.backingStorageSize, resident: residentOf(server.pid) };
          } finally {
            inspector.close();
          }
        },
      },
      abort: {
        value: async (session: string) => {
          await unpooledFetch(`${server.url}/__bench/abort?session=${session}`);
        },
      },
    });
  },
};

export const HOSTS: readonly SoakHost[] = [node, workerd];

/** Bytes of resident memory. */
function residentOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

/** Descriptors that a process has open. */
export function filesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Descriptors that any process here may have open. */
function limitOfFiles(): number {
  const [, soft = ""] = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return soft === "unlimited" ? Infinity : Number(soft);
}

/** Descriptors for all else. */
const SPARE_FILES = 500;
/** Ports of one address that connections can come from, less those that calls take. */
const PORTS = 24_000;

/** The most open streams that the machine's limits hold: descriptors of either side, ports, half of the free memory. */
export function mostStreams({ filesEach, bytesEach }: SoakHost): number {
  const files = (limitOfFiles() - SPARE_FILES) / filesEach;
  const memory = process.availableMemory() / 2 / bytesEach;
  return Math.floor(Math.min(files, limitOfFiles() - SPARE_FILES, PORTS, memory));
}
