/** The JWT recipe on Node. @module */
import process from "node:process";
import { Hono } from "hono";
import { createLocalMcp, serve } from "../../../src/local/node.ts";
import { modernHandler } from "../../../src/modern/index.ts";
import { createServer } from "../server.ts";
import { createAuth } from "./auth.ts";

const { env } = process;
const port = Number(env["PORT"] ?? 8787);
const auth = createAuth({
  RESOURCE: env["RESOURCE"] ?? `http://127.0.0.1:${port}/mcp`,
  ISSUER: env["ISSUER"] ?? "http://127.0.0.1:9000",
  AUDIENCE: env["AUDIENCE"],
});
const mcp = createLocalMcp({
  createServer,
  database: env["DATABASE"],
  modern: modernHandler({ createServer }),
  authorize: auth.authorize,
});
const app = new Hono().route("/", auth.metadata).route("/", mcp.router);

const server = await serve({ fetch: app.fetch, port, onClose: mcp.close });
process.once("SIGTERM", server.close);
console.log(`Listening on ${server.url}`);
