/** The slow server behind the JWT recipe's door, on Node. @module */
import process from "node:process";
import { Hono } from "hono";
import { createAuth } from "../../examples/auth/jwt/auth.ts";
import { createLocalMcp, serve } from "../../src/local/node.ts";
import { createServer } from "../support/slow-server.ts";

const { env } = process;
const port = Number(env["PORT"]);
const auth = createAuth({ RESOURCE: `http://127.0.0.1:${port}/mcp`, ISSUER: env["ISSUER"] ?? "" });
const mcp = createLocalMcp({
  createServer,
  database: env["DATABASE"],
  authorize: auth.authorize,
  retryMs: 1000,
});
const app = new Hono().route("/", auth.metadata).route("/", mcp.router);
const server = await serve({ fetch: app.fetch, port, onClose: mcp.close });
process.once("SIGTERM", server.close);
console.log(`Listening on ${server.url}`);
