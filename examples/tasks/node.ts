/** The crawl on Node: its tasks are in the database file, and go on with the next process that opens it. @module */
import process from "node:process";
import { createLocalMcp, serve } from "../../src/local/node.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { createServer, mayRunAgain, tasks } from "./server.ts";

const { env } = process;
const mcp = createLocalMcp({
  createServer,
  database: env["DATABASE"] ?? "tasks.db",
  modern: modernHandler({ createServer, tasks }),
  rerun: mayRunAgain,
});

const port = Number(env["PORT"] ?? 8787);
const server = await serve({ fetch: mcp.router.fetch, port, onClose: mcp.close });
process.once("SIGTERM", server.close);
console.log(`Listening on ${server.url}`);
