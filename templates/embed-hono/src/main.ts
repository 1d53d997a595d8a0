import { createLocalMcp, serve } from "holdfast/node";
import { authorize, createApp } from "./app.ts";
import { createServer } from "./server.ts";

if (!process.env["API_KEY"]) console.warn("API_KEY is not set: nobody can call the MCP server");

const mcp = createLocalMcp({
  name: "holdfast-embedded",
  createServer,
  authorize,
  database: process.env["HOLDFAST_DB"] ?? "sessions.db",
});
const server = await serve({ fetch: createApp(mcp.router).fetch, onClose: mcp.close });

process.once("SIGTERM", server.close);
process.once("SIGINT", server.close);
console.log(`MCP at ${server.url}/api/mcp`);
