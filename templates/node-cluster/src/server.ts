import { McpServer } from "@modelcontextprotocol/server";
import type { ServerContext } from "holdfast";
import { z } from "zod";

/** Builds the MCP server of one session; after a restart it is called again, and finds `session.state` as it was. */
export function createServer({ session }: ServerContext): McpServer {
  const server = new McpServer({ name: "holdfast-cluster", version: "1.0.0" });
  server.registerTool(
    "count",
    { description: "Counts on", inputSchema: z.object({ by: z.number().int() }) },
    ({ by }) => {
      const count = (session?.state.get<number>("count") ?? 0) + by;
      session?.state.set("count", count);
      return { content: [{ type: "text", text: String(count) }] };
    },
  );
  return server;
}
