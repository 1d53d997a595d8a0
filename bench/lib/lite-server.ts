/** mcp-lite's server with the `echo` that is measured. @module */
import { McpServer } from "mcp-lite";
import * as z from "zod";

export function liteServer(): McpServer {
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
  return server;
}
