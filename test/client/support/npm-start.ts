/** `npm start`: the example under `wrangler dev`, npm, wrangler and workerd and all. @module */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PATH } from "../../support/process.ts";
import { eventually } from "../../support/wait.ts";
import { freePort } from "../../support/workerd.ts";
import type { ProcessTarget, RunningProcess } from "./process-target.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
const START_MS = 60_000;

export interface NpmStart extends RunningProcess {
  /** All that was printed since it was started. */
  output(): string;
}

export const npmStart: Omit<ProcessTarget, "start"> & { start(): Promise<NpmStart> } = {
  name: "npm start",
  durable: true,
  async start() {
    const port = await freePort();
    const state = mkdtempSync(join(tmpdir(), "holdfast-"));
    let child: ChildProcess | undefined;
    let output = "";
    const run = async (): Promise<void> => {
      const started = spawn("npm", ["start", "--", "--port", String(port), "--persist-to", state], {
        cwd: ROOT,
        env: { ...process.env, PATH },
        // A group of its own, so that all of it can be killed at once.
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      child = started;
      output = "";
      for (const stream of [started.stdout, started.stderr]) {
        stream.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
      }
      await eventually(async () => {
        const { ok } = await fetch(`http://127.0.0.1:${port}/health`).catch(() => ({ ok: false }));
        if (!ok) throw new Error(`npm start is not up: ${output}`);
      }, START_MS);
    };
    const kill = async (): Promise<void> => {
      const running = child;
      child = undefined;
      if (running?.pid === undefined) return;
      const gone = new Promise((resolve) => running.once("exit", resolve));
      process.kill(-running.pid, "SIGKILL");
      await gone;
    };
    await run();
    return {
      url: `http://127.0.0.1:${port}/mcp`,
      output: () => output,
      kill,
      restart: run,
      close: async () => {
        await kill();
        rmSync(state, { recursive: true, force: true });
      },
    };
  },
};
