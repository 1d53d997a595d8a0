/**
 * The example server as a program, on Node, Deno and Bun alike: flags over `HOLDFAST_*` variables over
 * defaults, one line where it cannot start, an orderly end on SIGTERM and SIGINT.
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { createLocalMcp, type LocalMcpOptions } from "../../src/local/index.ts";
import { landingPage } from "../../src/landing/index.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { PortInUseError, portOf, type ServeOptions, type Server } from "../../src/local/serve.ts";
import { consolePage } from "../../src/console/index.ts";
import { createExampleServer, EXAMPLE_DESCRIPTION } from "../../worker/example/server.ts";
import { adminByToken } from "../../worker/example/admin.ts";
import { exampleTasks } from "../../worker/example/task-fixtures.ts";

const USAGE = `Options, each with its variable:
  --port N       port to listen on, 0 for any free one   HOLDFAST_PORT, PORT   8787
  --host ADDR    address to bind                         HOLDFAST_HOST         127.0.0.1
  --db FILE      where sessions are kept                 HOLDFAST_DB           in memory
All other settings are variables: see docs/options.md.`;

/** Serves until the process is told to end. */
export async function main(
  serve: (options: ServeOptions) => Promise<Server>,
  more: Partial<LocalMcpOptions> = {},
): Promise<void> {
  try {
    const { env } = process;
    const { values } = parseArgs({
      options: {
        port: { type: "string" },
        host: { type: "string" },
        db: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help) return console.log(USAGE);
    // `serve` reads the variables by itself; here, before anything has been opened.
    const port =
      portOf(values.port, "--port") ??
      portOf(env["HOLDFAST_PORT"], "HOLDFAST_PORT") ??
      portOf(env["PORT"], "PORT");

    const mcp = createLocalMcp({
      name: "holdfast-example",
      version: "0.1.0",
      createServer: createExampleServer,
      modern: modernHandler({ createServer: createExampleServer, tasks: exampleTasks() }),
      landing: landingPage({ description: EXAMPLE_DESCRIPTION }),
      env,
      database: values.db,
      admin: adminByToken(env["HOLDFAST_DEV_ADMIN_TOKEN"]),
      console: env["HOLDFAST_CONSOLE"] === "1" ? consolePage() : undefined,
      ...more,
    });
    // One session's server that lets go of a promise must not end everyone's sessions.
    process.on("unhandledRejection", (reason) => console.error(`Unhandled: ${reasonOf(reason)}`));
    const server = await serve({ fetch: mcp.router.fetch, port, hostname: values.host, onClose: mcp.close });
    console.log(`Listening on ${server.url}/mcp`);
    for (const signal of ["SIGTERM", "SIGINT"]) {
      process.once(signal, () => void server.close().then(() => process.exit(0)));
    }
  } catch (error) {
    console.error(reasonOf(error));
    process.exit(1);
  }
}

/** One line for whoever started the program. */
function reasonOf(error: unknown): string {
  if (error instanceof PortInUseError) {
    return `${error.message}. Choose another with --port or the variable HOLDFAST_PORT.`;
  }
  return error instanceof Error ? error.message : String(error);
}
