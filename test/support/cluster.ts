/** A cluster: processes over one database, behind a balancer that keeps no client to one of them. @module */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Proxy, startProxy } from "../../examples/cluster/proxy.ts";
import { built } from "./built.ts";
import { BUN } from "./bun.ts";
import { DENO } from "./deno.ts";
import { eventsIn } from "./events-in.ts";
import { NODE } from "./node.ts";
import { type TestDatabase, testDatabase } from "./postgres.ts";
import { NEEDED } from "./process.ts";
import { freePort, type TestServer } from "./workerd.ts";

const ENTRY = new URL("cluster-server.ts", import.meta.url).pathname;
export const RUNTIMES = { node: NODE, deno: DENO, bun: BUN } as const;
export type Runtime = keyof typeof RUNTIMES;

/** One process of a cluster. */
export interface Member {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** What it printed since it was last started. */
  readonly lines: string[];
  events(): { type: string; [field: string]: unknown }[];
  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal, and resolves once the process is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again, on the same port; by another program, where one is given. */
  start(more?: Readonly<Record<string, string>>, program?: string): Promise<void>;
}

export interface Cluster extends TestServer {
  readonly members: readonly Member[];
  readonly database: TestDatabase;
  /** The node ids of the members, by what the database holds of their addresses. */
  ownerOf(session: string): Promise<Member | undefined>;
}

export interface ClusterOptions {
  readonly vars?: Readonly<Record<string, string>>;
  readonly runtimes?: readonly Runtime[];
  readonly database?: TestDatabase;
  /** Another program than the test server. */
  readonly entry?: string;
  /** The database's URL as each member is to use it; where others reach it. */
  readonly through?: (
    n: number,
    port: number,
  ) => Promise<{ readonly postgres?: string; readonly address?: string }>;
}

async function startMember(
  n: number,
  command: readonly string[],
  { vars = {}, entry = command === NODE ? built(ENTRY) : ENTRY, through }: ClusterOptions,
  url: string,
  onLine: (line: string) => void,
): Promise<Member> {
  const lines: string[] = [];
  let child: ChildProcess | undefined;
  let port = 0;
  let ways: { readonly postgres?: string; readonly address?: string } = {};

  let running = entry;

  const start = async (more: Readonly<Record<string, string>> = {}, another = running): Promise<void> => {
    lines.length = 0;
    running = another;
    const [program = "", ...args] = command;
    const started = spawn(program, [...args, running], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...NEEDED,
        HOLDFAST_PORT: String(port),
        HOLDFAST_POSTGRES: ways.postgres ?? url,
        ...(ways.address === undefined ? {} : { HOLDFAST_ADDRESS: ways.address }),
        ...vars,
        ...more,
      },
    });
    child = started;
    await new Promise<void>((resolve, reject) => {
      started.once("error", reject);
      // Its last words are read a moment after it is gone.
      started.once("close", () => {
        setTimeout(() => reject(new Error(`${program} ended: ${lines.join("\n")}`)), 100);
      });
      for (const input of [started.stdout, started.stderr]) {
        createInterface({ input }).on("line", (line) => {
          lines.push(line);
          onLine(line);
          if (line.startsWith("Listening on")) resolve();
        });
      }
    });
  };

  for (;;) {
    port = await freePort();
    ways = (await through?.(n, port)) ?? {};
    try {
      await start();
      break;
    } catch (error) {
      // Another test's server took the port in between.
      if (!String(error).includes("in use")) throw error;
    }
  }

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    get pid() {
      return child?.pid ?? 0;
    },
    lines,
    events: () => eventsIn(lines),
    signal: (signal) => void child?.kill(signal),
    async end(signal) {
      const ending = child;
      if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
      const gone = new Promise((resolve) => ending.once("exit", resolve));
      ending.kill(signal);
      // One that is stopped hears nothing but SIGKILL.
      if (signal !== "SIGKILL") ending.kill("SIGCONT");
      await gone;
    },
    start,
  };
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { runtimes = ["node", "node", "node"] } = options;
  const database = options.database ?? (await testDatabase());
  const members: Member[] = [];
  /** Of all processes, as it came. */
  const lines: string[] = [];
  let proxy: Proxy | undefined;
  const killAll = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.end("SIGKILL")));
  };
  const close = async (): Promise<void> => {
    await proxy?.close();
    await killAll();
    if (options.database === undefined) await database.close();
  };
  try {
    const starting = runtimes.map((runtime, n) =>
      startMember(n, RUNTIMES[runtime], options, database.url, (line) => void lines.push(line)),
    );
    const started = await Promise.allSettled(starting);
    for (const each of started) if (each.status === "fulfilled") members.push(each.value);
    for (const each of started) if (each.status === "rejected") throw each.reason;
    proxy = await startProxy(() => members.map(({ port }) => port));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url: proxy.url,
    members,
    database,
    lines,
    events: () => eventsIn(lines),
    async ownerOf(session) {
      const [row] = await database.query<{ address: string }>(
        `SELECT n.address FROM holdfast.session AS s JOIN holdfast.node AS n ON n.id = s.owner AND n.alive WHERE s.id = $1`,
        [session],
      );
      return members.find(({ url }) => row?.address.startsWith(url) === true);
    },
    kill: killAll,
    restart: async () => {
      await killAll();
      await Promise.all(members.map((member) => member.start()));
    },
    close,
  };
}
