/** The example server as a process, on storage that outlives it, behind the proxy. @module */
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { startNode } from "../support/node.ts";
import { startWorkerd, type TestServer } from "../support/workerd.ts";
import { type Proxy, startProxy } from "./proxy.ts";

export const HOSTS = ["node", "workerd"] as const;
export type Host = (typeof HOSTS)[number];

const EXAMPLES = {
  node: new URL("../../examples/server/node.ts", import.meta.url).pathname,
  workerd: new URL("../../worker/example/index.ts", import.meta.url).pathname,
};

export interface Lab {
  readonly proxy: Proxy;
  readonly server: TestServer;
  /** The longest that the server took to start again. */
  readonly slowestStartMs: number;
  /** SIGKILL; stays down for a while; starts again on the same storage. */
  restart(downMs?: number): Promise<void>;
  /** SIGKILL; its storage is deleted; starts again. */
  wipe(): Promise<void>;
  /** The network is gone for a while. The server lives on. */
  away(ms: number): Promise<void>;
  close(): Promise<void>;
}

const open = new Set<Lab>();

/** Ends every server: for a run that is broken off. */
export async function closeLabs(): Promise<void> {
  await Promise.all([...open].map((lab) => lab.close()));
}

export async function startLab(
  host: Host,
  vars: Readonly<Record<string, string>>,
  recordFile: string,
): Promise<Lab> {
  const { server, storage } = await start(host, { HOLDFAST_LOG_LEVEL: "debug", ...vars });
  const proxy = await startProxy(Number(new URL(server.url).port), recordFile);

  let slowestStartMs = 0;

  const kill = async (): Promise<void> => {
    proxy.mark("SIGKILL");
    proxy.down();
    await server.kill();
    proxy.cut("end");
  };
  const startAgain = async (): Promise<void> => {
    const began = Date.now();
    await server.restart();
    await proxy.up();
    slowestStartMs = Math.max(slowestStartMs, Date.now() - began);
  };
  const lab: Lab = {
    proxy,
    server,
    get slowestStartMs() {
      return slowestStartMs;
    },
    async restart(downMs = 0) {
      await kill();
      await pause(downMs);
      await startAgain();
    },
    async wipe() {
      await kill();
      for (const name of readdirSync(storage)) rmSync(join(storage, name), { recursive: true });
      await startAgain();
    },
    async away(ms) {
      proxy.mark("the network is gone");
      proxy.down();
      proxy.cut("reset");
      await pause(ms);
      await proxy.up();
    },
    async close() {
      open.delete(lab);
      proxy.close();
      await server.close();
    },
  };
  open.add(lab);
  return lab;
}

async function start(
  host: Host,
  vars: Readonly<Record<string, string>>,
): Promise<{ server: TestServer; storage: string }> {
  if (host === "workerd") {
    const server = await startWorkerd({ vars, entry: EXAMPLES.workerd });
    return { server, storage: server.storage };
  }
  const server = await startNode({ vars, entry: EXAMPLES.node });
  return { server, storage: dirname(server.database) };
}
