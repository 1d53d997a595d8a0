/** The reading list on Node: users' state is in the database file, beside the sessions. @module */
import process from "node:process";
import { createLocalMcp, serve } from "../../src/local/node.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { authorize, createServer } from "./server.ts";

const { env } = process;
const mcp = createLocalMcp({
  createServer,
  authorize,
  database: env["DATABASE"] ?? "reading-list.db",
  modern: modernHandler({ createServer }),
});

const port = Number(env["PORT"] ?? 8787);
const server = await serve({ fetch: mcp.router.fetch, port, onClose: mcp.close });
process.once("SIGTERM", server.close);
console.log(`Listening on ${server.url}`);
