/** The slow server behind the JWT recipe's door, on Workers. @module */
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { createAuth, type Settings } from "../../examples/auth/jwt/auth.ts";
import { createMcpWorker } from "../../worker/cloudflare.ts";
import { createServer } from "../support/slow-server.ts";

interface Env extends Settings {
  MCP_SESSION: DurableObjectNamespace;
}

const auth = createAuth(env as unknown as Env);
const mcp = createMcpWorker<Env>({
  createServer,
  namespace: (bindings) => bindings.MCP_SESSION,
  authorize: auth.authorize,
  retryMs: 1000,
});
export const { McpSession, McpHub } = mcp;
export default new Hono().route("/", auth.metadata).route("/", mcp.router);
