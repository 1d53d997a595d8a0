/** A server whose one tool lasts longer than the tokens of its callers, and says how far it is. @module */
import { McpServer, type ServerContext } from "@modelcontextprotocol/server";
import * as z from "zod";

export function createServer(): McpServer {
  const server = new McpServer({ name: "slow", version: "1.0.0" }, { capabilities: { logging: {} } });
  server.registerTool(
    "count",
    { inputSchema: z.object({ to: z.number(), everyMs: z.number() }) },
    async ({ to, everyMs }, { mcpReq }: ServerContext) => {
      for (let n = 1; n <= to; n++) {
        await new Promise((resolve) => setTimeout(resolve, everyMs));
        await mcpReq.notify({ method: "notifications/message", params: { level: "info", data: n } });
      }
      return { content: [{ type: "text", text: "counted" }] };
    },
  );
  return server;
}
