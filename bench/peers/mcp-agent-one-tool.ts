/** The smallest McpAgent that one deploys, as its documentation writes it. @module */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpAgent } from "agents/mcp";
import * as z from "zod";

export class McpSession extends McpAgent {
  server = new McpServer({ name: "bench", version: "1.0.0" });

  override async init(): Promise<void> {
    this.server.registerTool(
      "echo",
      { description: "Echoes", inputSchema: { text: z.string() } },
      ({ text }) => ({
        content: [{ type: "text", text }],
      }),
    );
  }
}

export default McpSession.serve("/mcp", { binding: "MCP_SESSION" });
