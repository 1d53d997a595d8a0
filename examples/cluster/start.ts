/**
 * `npm run start:cluster -- --port N --processes 3`: a Postgres of its own, so many processes on Node, and a load balancer
 * that keeps no client to one of them. Prints where each process is, ready for `kill -9`: what it had is taken by the
 * others, and one that was killed is started again with `--restart`.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { textOf } from "../../src/variables.ts";
import { startPostgres } from "./embedded-postgres.ts";
import { startProxy } from "./proxy.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: textOf(process.env, "HOLDFAST_PORT") ?? "8787" },
    processes: { type: "string", default: "3" },
    postgres: { type: "string" },
    restart: { type: "boolean", default: false },
  },
});
const processes = Number(values.processes);
if (!Number.isInteger(processes) || processes < 1 || processes > 32) {
  console.error("--processes must be a whole number from 1 to 32");
  process.exit(1);
}

const program = new URL("node.ts", import.meta.url).pathname;
const running = new Map<number, { child: ChildProcess; port: number }>();
let isEnding = false;

const postgres = values.postgres === undefined ? await startPostgres() : undefined;
const url = values.postgres ?? postgres?.url ?? "";

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });

async function start(n: number, at?: number): Promise<void> {
  const port = at ?? (await freePort());
  const child = spawn(process.execPath, [program, "--port", String(port), "--postgres", url], {
    stdio: ["ignore", "pipe", "inherit"],
    // Their own port; all else is every process's.
    env: { ...process.env, HOLDFAST_PORT: undefined },
  });
  await new Promise<void>((resolve, reject) => {
    child.once("exit", () => reject(new Error(`process ${n} could not be started`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("Listening on")) resolve();
      else console.log(line);
    });
  });
  running.set(n, { child, port });
  console.log(`process ${n} pid ${child.pid} http://127.0.0.1:${port}`);
  child.removeAllListeners("exit");
  child.once("exit", (code, signal) => {
    running.delete(n);
    if (isEnding) return;
    console.log(`process ${n} ended (${signal ?? code})`);
    if (values.restart) void start(n, port).catch((error: unknown) => console.error(String(error)));
  });
}

async function end(code: number): Promise<void> {
  isEnding = true;
  await proxy?.close();
  await Promise.all(
    [...running.values()].map(({ child }) => {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      return gone;
    }),
  );
  await postgres?.close();
  process.exit(code);
}

let proxy: Awaited<ReturnType<typeof startProxy>> | undefined;
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void end(0));
try {
  await Promise.all(Array.from({ length: processes }, (_, n) => start(n + 1)));
  proxy = await startProxy(() => [...running.values()].map(({ port }) => port), Number(values.port));
  if (postgres !== undefined) console.log(`postgres pid ${postgres.pid} ${postgres.url}`);
  console.log(`Listening on ${proxy.url}/mcp`);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  await end(1);
}
