/**
 * `npm start`: the example under `wrangler dev`, with the console. Arguments are wrangler's own (`--port`,
 * `--persist-to`, …); HOLDFAST_* variables of the environment reach the Worker. The console can have the server
 * started anew, at the same address and on the same state.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { optionsFromEnv } from "../src/variables.ts";

const PORT = 8787;
/** Between two looks whether the server answers. */
const LOOK_MS = 100;
/** For the answer to get to the page that asked for it. */
const LAST_WORDS_MS = 100;

let basePath: string;
try {
  ({ basePath = "" } = optionsFromEnv(process.env));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

const given = process.argv.slice(2);
const { values } = parseArgs({
  args: given,
  options: { port: { type: "string" }, ip: { type: "string" } },
  strict: false,
  allowPositionals: true,
});
const asked = typeof values.port === "string" ? Number(values.port) : undefined;
// wrangler takes a port once, and gets it below.
const others = given.filter(
  (arg, at) => arg !== "--port" && !arg.startsWith("--port=") && given[at - 1] !== "--port",
);
const ip = typeof values.ip === "string" ? values.ip : "127.0.0.1";
const name = ["0.0.0.0", "*", "::"].includes(ip) ? "127.0.0.1" : ip;
// Chosen here and not by wrangler, which would take another each time that the server starts anew.
const port = asked === undefined || asked === 0 ? await portFor(asked ?? PORT) : asked;
const url = `http://${name.includes(":") ? `[${name}]` : name}:${port}${basePath}`;

const id = randomUUID();
const path = `/${randomUUID()}`;
let wrangler: ChildProcess | undefined;
let isStartingAnew = false;

/** The Worker cannot end its own process; it asks here, under a path that nobody can guess. */
const supervisor = createServer((request, response) => {
  const isAsked = request.method === "POST" && request.url === path;
  response.writeHead(isAsked ? 202 : 404).end();
  if (!isAsked || isStartingAnew) return;
  isStartingAnew = true;
  void pause(LAST_WORDS_MS).then(() => wrangler?.kill());
});
await new Promise<void>((resolve) => supervisor.listen(0, "127.0.0.1", resolve));
const supervisorPort = (supervisor.address() as AddressInfo).port;

start();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    isStartingAnew = false;
    wrangler?.kill(signal);
  });
}

function start(): void {
  const variables = {
    // The Worker's output comes to this terminal, which it cannot see from where it runs.
    ...(process.stdout.isTTY && { HOLDFAST_LOG_FORMAT: "pretty" }),
    ...process.env,
    HOLDFAST_DEV_ID: id,
    HOLDFAST_DEV_SUPERVISOR: `http://127.0.0.1:${supervisorPort}${path}`,
  };
  const settings = Object.entries(variables)
    .filter(([name]) => name.startsWith("HOLDFAST_"))
    .flatMap(([name, value]) => ["--var", `${name}:${value ?? ""}`]);
  const args = ["dev", "worker/example/dev.ts", ...settings, ...others, "--port", String(port)];
  const child = spawn("wrangler", args, { stdio: "inherit" });
  wrangler = child;
  child.on("error", (error) => {
    console.error(`wrangler could not be started (${error.message}); run npm ci first`);
    process.exit(1);
  });
  child.on("exit", (code) => {
    if (!isStartingAnew) process.exit(code ?? 1);
    isStartingAnew = false;
    start();
  });
  void announce(child);
}

/** Says where everything is, once it is there. */
async function announce(child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const answer = await fetch(`${url}/test/started`)
      .then((response) => response.text())
      .catch(() => "");
    if (answer === id) {
      console.log(`\nMCP      ${url}/mcp\nConsole  ${url}/test\n`);
      return;
    }
    await pause(LOOK_MS);
  }
}

/** The port where it is free, else any that is. */
async function portFor(wanted: number): Promise<number> {
  const listen = (on: number): Promise<number | undefined> =>
    new Promise((resolve) => {
      const server = createSocketServer();
      server.once("error", () => resolve(undefined));
      server.listen(on, ip === "*" ? undefined : ip, () => {
        const { port } = server.address() as AddressInfo;
        server.close(() => resolve(port));
      });
    });
  return (await listen(wanted)) ?? (await listen(0)) ?? wanted;
}
