/** The app on Node. @module */
import process from "node:process";
import { compress } from "hono/compress";
import { createLocalMcp, serve } from "../../src/local/node.ts";
import { authorize, createApp, ORIGINS } from "./app.ts";
import { createServer, type Variables } from "./servers/index.ts";

const { env } = process;
const mcp = createLocalMcp<Variables>({
  createServer,
  env: { SERVER: env["SERVER"] },
  database: env["DATABASE"],
  authorize,
  allowedOrigins: ORIGINS,
});
const app = createApp(mcp.router, compress());

const server = await serve({ fetch: app.fetch, port: Number(env["PORT"] ?? 8787), onClose: mcp.close });
process.once("SIGTERM", server.close);
console.log(`Listening on ${server.url}`);
