/** mcp-lite's server with the `echo` that is measured. @module */
import { McpServer } from "mcp-lite";
import * as z from "zod";

// One for all sessions, as in `servers.ts`: zod compiles a schema at its first use.
const Text = z.object({ text: z.string() });

export function liteServer(): McpServer {
  const server = new McpServer({
    name: "bench",
    version: "1.0.0",
    schemaAdapter: (schema) => z.toJSONSchema(schema as z.ZodType),
  });
  server.tool("echo", {
    description: "Echoes",
    inputSchema: Text,
    handler: ({ text }) => ({ content: [{ type: "text", text }] }),
  });
  return server;
}
