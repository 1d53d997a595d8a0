/** A Worker whose bindings are what a test makes of them. */
import { McpServer } from "@modelcontextprotocol/server";
import { createMcpWorker } from "../../worker/cloudflare.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  MCP_HUB: DurableObjectNamespace;
}

const mcp = createMcpWorker<Env>({
  createServer: () => new McpServer({ name: "bound", version: "0" }),
  namespace: (env) => env.MCP_SESSION,
  hub: (env) => env.MCP_HUB,
});

export const { McpSession, McpHub } = mcp;
export { DurableObject as Other } from "cloudflare:workers";
export default mcp.router;
