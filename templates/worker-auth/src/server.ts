import { McpServer } from "@modelcontextprotocol/server";
import type { ServerContext } from "holdfast";
import { z } from "zod";

/** Builds the MCP server of one session; after a restart it is called again, and finds `session.state` as it was. */
export function createServer({ session, user }: ServerContext): McpServer {
  const server = new McpServer({ name: "holdfast-worker-auth", version: "1.0.0" });
  server.registerTool(
    "count",
    { description: "Counts on", inputSchema: z.object({ by: z.number().int() }) },
    ({ by }) => {
      const count = (session?.state.get<number>("count") ?? 0) + by;
      session?.state.set("count", count);
      // The token's subject. The token itself, its scopes and its claims are in `ctx.http.authInfo` of each call.
      return { content: [{ type: "text", text: `${user?.principal ?? "nobody"}: ${count}` }] };
    },
  );
  return server;
}
