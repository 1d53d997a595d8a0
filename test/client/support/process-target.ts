/** Servers as processes of their own, which a test kills and starts again. @module */
import { startNode } from "../../support/node.ts";
import { NODE_BIN, type Program, runProgram } from "./program.ts";

export interface RunningProcess {
  /** The MCP endpoint; the same after a restart. */
  readonly url: string;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again, where it was. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** A server program with the tools `echo {text}` and `sleep {ms}`, which reports progress. */
export interface ProcessTarget {
  readonly name: string;
  /** Whether its sessions outlive the process. */
  readonly durable: boolean;
  start(): Promise<RunningProcess>;
}

export const sdkServerProcess: ProcessTarget = {
  name: "the official SDK's session server",
  durable: false,
  async start() {
    const main = new URL("sdk-server-main.ts", import.meta.url).pathname;
    let program: Program;
    const run = async (port: string): Promise<string> => {
      program = runProgram([NODE_BIN, main, port]);
      const line = await program.line(/^listening at /);
      return line.slice("listening at ".length);
    };
    const url = await run("0");
    const kill = async (): Promise<void> => {
      program.kill("SIGKILL");
      await program.exit;
    };
    return { url, kill, close: kill, restart: async () => void (await run(new URL(url).port)) };
  },
};

export const ownServerProcess: ProcessTarget = {
  name: "our own server",
  durable: true,
  async start() {
    const { url, kill, restart, close } = await startNode();
    return { url: `${url}/mcp`, kill, restart, close };
  },
};
