import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../src/main.ts", import.meta.url));

export interface RunningProcess {
  url: string;
  child: ChildProcess;
  /** Ends it, and waits until it has gone. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Starts `src/main.ts` on this port, and waits until it serves; what it prints besides is passed on. */
export async function startProcess(port: number, DATABASE_URL: string): Promise<RunningProcess> {
  const child = spawn(process.execPath, [PROGRAM], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, DATABASE_URL, PORT: String(port), ADDRESS: `http://127.0.0.1:${port}` },
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the process on port ${port} ended with ${code}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const served = /^MCP at (\S+)$/.exec(line)?.[1];
      if (served !== undefined) resolve(served);
      else console.log(line);
    });
  });
  return {
    url,
    child,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(signal);
      await once(child, "exit");
    },
  };
}
