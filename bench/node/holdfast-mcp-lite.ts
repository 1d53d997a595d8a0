/** Holdfast on Node around mcp-lite's own server, so that only the transports differ. @module */
import process from "node:process";
import { connectable } from "../../examples/embedding/servers/mcp-lite.ts";
import { createLocalMcp, serve } from "../../src/local/node.ts";
import { liteServer } from "../lib/lite-server.ts";

// One server for all sessions, as mcp-lite's own transport has it.
const shared = connectable(liteServer());
const mcp = createLocalMcp({ createServer: () => shared, logLevel: "warn" });
const server = await serve({
  fetch: mcp.router.fetch,
  port: Number(process.env["PORT"]),
  onClose: mcp.close,
});
console.log(`Listening on ${server.url}`);
