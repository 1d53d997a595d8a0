/** The app on Workers. @module */
import { createMcpWorker } from "../../worker/cloudflare.ts";
import { authorize, createApp, ORIGINS } from "./app.ts";
import { createServer, type Variables } from "./servers/index.ts";

interface Env extends Variables {
  MCP_SESSION: DurableObjectNamespace;
}

const mcp = createMcpWorker<Env>({
  createServer,
  namespace: (env) => env.MCP_SESSION,
  authorize,
  allowedOrigins: ORIGINS,
});
export const { McpSession, McpHub } = mcp;
export default createApp(mcp.router);
