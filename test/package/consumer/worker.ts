import { createMcpWorker } from "holdfast/cloudflare";
import { McpServer } from "@modelcontextprotocol/server";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
}

const mcp = createMcpWorker<Env>({
  createServer: () => new McpServer({ name: "mine", version: "1.0.0" }),
  namespace: (env) => env.MCP_SESSION,
});
export const McpSession = mcp.McpSession;
export default mcp.router;
