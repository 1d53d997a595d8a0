/** The app on Deno. @module */
import process from "node:process";
import { createLocalMcp, serve } from "../../src/local/deno.ts";
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
const app = createApp(mcp.router);

const server = await serve({ fetch: app.fetch, port: Number(env["PORT"] ?? 8787), onClose: mcp.close });
process.once("SIGTERM", server.close);
console.log(`Listening on ${server.url}`);
