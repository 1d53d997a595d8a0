/** A server made with the official SDK, version 1. @module */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import * as z from "zod";
import type { ServerContext } from "../../../src/index.ts";

export function createServer({ session }: ServerContext): McpServer {
  const server = new McpServer({ name: "sdk-v1", version: "1.0.0" });

  server.registerTool("whoami", { description: "Tells who calls" }, () => ({
    content: [{ type: "text", text: session?.principal ?? "nobody" }],
  }));

  server.registerTool(
    "count",
    { description: "Counts, with progress", inputSchema: { to: z.int() } },
    async ({ to }, extra) => {
      const progressToken = extra._meta?.progressToken;
      for (let n = 1; progressToken !== undefined && n <= to; n++) {
        const params = { progressToken, progress: n, total: to };
        await extra.sendNotification({ method: "notifications/progress", params });
      }
      return { content: [{ type: "text", text: `counted to ${to}` }] };
    },
  );
  return server;
}
