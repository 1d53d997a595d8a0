/**
 * One process of the example cluster, as a program on Node, Deno and Bun alike: flags over variables over defaults, one
 * line where it cannot start, an orderly end on SIGTERM and SIGINT.
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type ClusterMcpOptions, createClusterMcp } from "../../src/cluster/index.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { portOf, type ServeOptions, type Server } from "../../src/local/serve.ts";
import { textOf } from "../../src/variables.ts";
import { consolePage } from "../../src/console/index.ts";
import { createExampleServer } from "../../worker/example/server.ts";
import { exampleTasks } from "../../worker/example/task-fixtures.ts";

const USAGE = `Options, each with its variable:
  --port N         port to listen on                           HOLDFAST_PORT      8787
  --host ADDR      address to bind                             HOLDFAST_HOST      127.0.0.1
  --postgres URL   the database that the processes share       HOLDFAST_POSTGRES
  --address URL    where the other processes reach this one    HOLDFAST_ADDRESS   http://<host>:<port>
All other settings are variables: see docs/options.md.`;

/** Serves until the process is told to end. */
export async function main(
  serve: (options: ServeOptions) => Promise<Server>,
  more: Partial<ClusterMcpOptions> = {},
): Promise<void> {
  try {
    const { env } = process;
    const text = { type: "string" } as const;
    const { values } = parseArgs({
      options: {
        port: text,
        host: text,
        postgres: text,
        address: text,
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help) return console.log(USAGE);
    const port = portOf(values.port, "--port") ?? portOf(env["HOLDFAST_PORT"], "HOLDFAST_PORT") ?? 8787;
    const hostname = values.host ?? textOf(env, "HOLDFAST_HOST") ?? "127.0.0.1";
    const mcp = await createClusterMcp({
      name: "holdfast-example",
      version: "0.1.0",
      createServer: createExampleServer,
      modern: modernHandler({ createServer: createExampleServer, tasks: exampleTasks() }),
      env,
      postgres: values.postgres,
      address: values.address ?? textOf(env, "HOLDFAST_ADDRESS") ?? `http://${hostname}:${port}`,
      console: env["HOLDFAST_CONSOLE"] === "1" ? consolePage() : undefined,
      ...more,
    });
    // One session's server that lets go of a promise must not end everyone's sessions.
    process.on("unhandledRejection", (reason) => console.error(`Unhandled: ${reasonOf(reason)}`));
    const server = await serve({ fetch: mcp.router.fetch, port, hostname, onClose: mcp.close });
    console.log(`Listening on ${server.url}/mcp`);
    for (const signal of ["SIGTERM", "SIGINT"]) {
      process.once(signal, () => void server.close().then(() => process.exit(0)));
    }
  } catch (error) {
    console.error(reasonOf(error));
    process.exit(1);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
