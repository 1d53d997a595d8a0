import { env } from "cloudflare:workers";
import { createMcpWorker, type McpWorker } from "holdfast/cloudflare";
import { landingPage } from "holdfast/landing";
import { createApp } from "./app.ts";
import { createAuth } from "./auth.ts";
import { createServer } from "./server.ts";

const auth = createAuth(env);
const mcp: McpWorker<Env> = createMcpWorker<Env>({
  name: "holdfast-worker-auth",
  createServer,
  namespace: (bindings) => bindings.MCP_SESSION,
  authorize: auth.authorize,
  landing: landingPage(),
});

export class McpSession extends mcp.McpSession {}
export default createApp(auth, mcp.router);
