/** Holdfast on Node around mcp-lite's own server, so that only the transports differ. @module */
import process from "node:process";
import { McpServer } from "mcp-lite";
import * as z from "zod";
import { connectable } from "../../examples/embedding/servers/mcp-lite.ts";
import { createLocalMcp, serve } from "../../src/local/node.ts";

const mcp = createLocalMcp({
  createServer() {
    const server = new McpServer({
      name: "bench",
      version: "1.0.0",
      schemaAdapter: (schema) => z.toJSONSchema(schema as z.ZodType),
    });
    server.tool("echo", {
      description: "Echoes",
      inputSchema: z.object({ text: z.string() }),
      handler: ({ text }) => ({ content: [{ type: "text", text }] }),
    });
    return connectable(server);
  },
  logLevel: "warn",
});
const server = await serve({
  fetch: mcp.router.fetch,
  port: Number(process.env["PORT"]),
  onClose: mcp.close,
});
console.log(`Listening on ${server.url}`);
