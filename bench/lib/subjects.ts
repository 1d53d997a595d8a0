/** Who is measured, and how each is started. @module */
import process from "node:process";
import { NODE } from "../../test/support/node.ts";
import { startProcess } from "../../test/support/process.ts";
import { bundleWithNode } from "./bundle.ts";
import { LINES } from "./collections.ts";
import { startWorkerd, type TestServer } from "../../test/support/workerd.ts";

export interface Running extends TestServer {
  readonly pid: number;
  /** On workerd: where its objects are stored; its configuration lies beside. */
  readonly storage?: string;
}

export interface Subject {
  readonly name: string;
  readonly host: "workerd" | "Node";
  /** The latest protocol version that it serves, where that is not ours. */
  readonly version?: string;
  /** @param flags V8's on workerd, Node's on Node */
  start(vars?: Readonly<Record<string, string>>, flags?: readonly string[]): Promise<Running>;
}

/** Servers whose end is this process' duty, however it ends. */
const running = new Set<Running>();
process.once("exit", () => {
  for (const { pid } of running) if (pid > 0) process.kill(pid, "SIGKILL");
});

/** Notes a server until it is closed. */
async function ours(starting: Promise<Running>): Promise<Running> {
  const server = await starting;
  running.add(server);
  const { close } = server;
  return Object.defineProperty(server, "close", {
    value: async () => {
      await close();
      running.delete(server);
    },
  });
}

const file = (path: string): string => new URL(`../${path}`, import.meta.url).pathname;

/** Where V8 is to say something, it is to say it line by line. */
const byOf = (v8Flags: readonly string[]): readonly string[] =>
  v8Flags.some((flag) => flag.startsWith("--trace")) ? LINES : [];

function onWorkerd(name: string, entry: string, own: Readonly<Record<string, string>> = {}): Subject {
  return {
    name,
    host: "workerd",
    start: (vars, v8Flags = []) =>
      ours(startWorkerd({ entry: file(entry), vars: { ...own, ...vars }, v8Flags, by: byOf(v8Flags) })),
  };
}

function onNode(
  name: string,
  entry: string,
  own: Readonly<Record<string, string>> = {},
  version?: string,
): Subject {
  return {
    name,
    host: "Node",
    ...(version === undefined ? {} : { version }),
    start: (vars, flags = []) =>
      ours(startProcess([...NODE, ...flags], { entry: file(entry), vars: { ...own, ...vars } })),
  };
}

const BARE = { BENCH_SERVER: "bare" };

export const floor: Subject = onWorkerd("floor: bare Worker → object", "worker/floor.ts");
export const floorRpc: Subject = onWorkerd("floor, as strings by RPC", "worker/floor.ts", {
  BENCH_CROSSING: "rpc",
});
export const floorLogged: Subject = onWorkerd("floor with a row an event", "worker/floor.ts", {
  BENCH_LOG: "on",
});
export const floorListen: Subject = onWorkerd("floor: streams of one isolate", "worker/floor-listen.ts");
export const holdfast: Subject = onWorkerd("holdfast", "worker/holdfast.ts");
export const holdfastBare: Subject = onWorkerd("holdfast, server without work", "worker/holdfast.ts", BARE);
export const mcpAgent: Subject = {
  name: "McpAgent (agents 0.32.0)",
  host: "workerd",
  start: async (vars = {}, v8Flags = []) =>
    ours(
      startWorkerd({
        entry: await bundleWithNode(file("peers/mcp-agent.ts")),
        vars,
        v8Flags,
        by: byOf(v8Flags),
        flags: ["enable_request_signal", "nodejs_compat"],
      }),
    ),
};

export const nodeFloor: Subject = onNode("floor: bare Hono", "node/floor.ts");
export const holdfastNode: Subject = onNode("holdfast/node, in memory", "node/holdfast.ts");
export const holdfastNodeFile: Subject = onNode("holdfast/node, file", "node/holdfast.ts", {
  BENCH_DATABASE: "file",
});
export const holdfastNodeBare: Subject = onNode(
  "holdfast/node, server without work",
  "node/holdfast.ts",
  BARE,
);
export const sdkSession: Subject = onNode("SDK 1.32.2 session transport", "peers/sdk-session.ts");
export const sdkSessionJson: Subject = onNode("SDK 1.32.2, JSON answers", "peers/sdk-session.ts", {
  BENCH_JSON: "on",
});
export const honoMcp: Subject = onNode("@hono/mcp 0.3.2", "peers/hono-mcp.ts");
export const mcpLite: Subject = onNode("mcp-lite 0.10.0", "peers/mcp-lite.ts", {}, "2025-06-18");
export const holdfastNodeLite: Subject = onNode(
  "holdfast/node, mcp-lite's server",
  "node/holdfast-mcp-lite.ts",
  {},
  "2025-06-18",
);
export const sdkListen: Subject = onNode("SDK 2.4.0, bus of one process", "node/sdk-listen.ts");
