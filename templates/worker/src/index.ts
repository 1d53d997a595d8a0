import { createMcpWorker, type McpWorker } from "holdfast/cloudflare";
import { landingPage } from "holdfast/landing";
import { createServer } from "./server.ts";

const mcp: McpWorker<Env> = createMcpWorker<Env>({
  name: "holdfast-worker",
  createServer,
  namespace: (env) => env.MCP_SESSION,
  // Without it everybody is one and the same caller: before you deploy, see
  // https://github.com/OWNER/holdfast/blob/main/docs/guides/sign-in.md.
  // authorize,
  // What a browser is shown: how to connect.
  landing: landingPage(),
});

export class McpSession extends mcp.McpSession {}
export default mcp.router;
