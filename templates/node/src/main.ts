import { landingPage } from "holdfast/landing";
import { createLocalMcp, serve } from "holdfast/node";
import { createServer } from "./server.ts";

const mcp = createLocalMcp({
  name: "holdfast-node",
  createServer,
  // Sessions outlive the process in this file: put it on a disk that outlives the container.
  database: process.env["HOLDFAST_DB"] ?? "sessions.db",
  // Without it everybody is one and the same caller: before anybody else can reach this, see
  // https://github.com/OWNER/holdfast/blob/main/docs/guides/sign-in.md.
  // authorize,
  // What a browser is shown: how to connect.
  landing: landingPage(),
});
const server = await serve({ fetch: mcp.router.fetch, onClose: mcp.close });

process.once("SIGTERM", server.close);
process.once("SIGINT", server.close);
console.log(`MCP at ${server.url}/mcp`);
