/** The smallest Worker that one deploys: one tool, the session eras, no hub. @module */
import { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { createMcpWorker } from "../../worker/cloudflare.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
}

const mcp = createMcpWorker<Env>({
  namespace: (env) => env.MCP_SESSION,
  createServer: () => {
    const server = new McpServer({ name: "bench", version: "1.0.0" });
    server.registerTool(
      "echo",
      { description: "Echoes", inputSchema: z.object({ text: z.string() }) },
      ({ text }) => ({ content: [{ type: "text", text }] }),
    );
    return server;
  },
});

export const { McpSession } = mcp;
export default mcp.router;
