/** A server made with the official SDK, version 2. @module */
import { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { ServerContext } from "../../../src/index.ts";

export function createServer({ session }: ServerContext): McpServer {
  const server = new McpServer({ name: "sdk-v2", version: "1.0.0" });

  server.registerTool("whoami", { description: "Tells who calls" }, () => ({
    content: [{ type: "text", text: session?.principal ?? "nobody" }],
  }));

  server.registerTool(
    "count",
    { description: "Counts, with progress", inputSchema: z.object({ to: z.int() }) },
    async ({ to }, ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken;
      for (let n = 1; progressToken !== undefined && n <= to; n++) {
        const params = { progressToken, progress: n, total: to };
        await ctx.mcpReq.notify({ method: "notifications/progress", params });
      }
      return { content: [{ type: "text", text: `counted to ${to}` }] };
    },
  );
  return server;
}
