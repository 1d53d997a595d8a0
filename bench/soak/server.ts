/** The MCP server of the soak: what it sends is numbered by whoever calls. @module */
import { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

const Echo = z.object({ text: z.string() });
const Count = z.object({
  /** The first number. */
  from: z.int().min(1),
  count: z.int().min(1),
  on: z.enum(["request", "progress", "standalone"]),
  /** Milliseconds between two messages. */
  everyMs: z.int().min(0),
});

/** `echo` answers at once; `count` sends numbered messages first, on the stream or as the progress that is asked for. */
export function createSoakServer(): McpServer {
  const server = new McpServer({ name: "soak", version: "1.0.0" }, { capabilities: { logging: {} } });
  server.registerTool("echo", { description: "Echoes", inputSchema: Echo }, ({ text }) => ({
    content: [{ type: "text", text }],
  }));
  server.registerTool(
    "count",
    { description: "Counts", inputSchema: Count },
    async ({ from, count, on, everyMs }, ctx) => {
      const progressToken = ctx.mcpReq._meta?.progressToken ?? "none";
      for (let n = from; n < from + count; n++) {
        if (on === "progress") {
          const params = { progressToken, progress: n };
          await ctx.mcpReq.notify({ method: "notifications/progress", params });
        } else {
          const message = {
            method: "notifications/message",
            params: { level: "info" as const, data: { n } },
          } as const;
          if (on === "request") await ctx.mcpReq.notify(message);
          else await server.server.notification(message);
        }
        if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
      }
      return { content: [{ type: "text", text: `counted to ${from + count - 1}` }] };
    },
  );
  return server;
}
