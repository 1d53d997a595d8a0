import { createMcpWorker, type McpWorker } from "holdfast/cloudflare";
import { createServer } from "./server.ts";

const mcp: McpWorker<Env> = createMcpWorker<Env>({
  createServer,
  namespace: (env) => env.MCP_SESSION,
  // Without it everybody is one and the same caller: before you deploy, see
  // https://github.com/OWNER/holdfast/blob/main/docs/guides/sign-in.md.
  // authorize,
});

export class McpSession extends mcp.McpSession {}
export default mcp.router;
