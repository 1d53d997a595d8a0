/** The JWT recipe on Workers. @module */
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { modernHandler } from "../../../src/modern/index.ts";
import { createMcpWorker } from "../../../worker/cloudflare.ts";
import { createServer } from "../server.ts";
import { createAuth, type Settings } from "./auth.ts";

interface Env extends Settings {
  MCP_SESSION: DurableObjectNamespace;
}

const auth = createAuth(env as unknown as Env);
const mcp = createMcpWorker<Env>({
  createServer,
  namespace: (bindings) => bindings.MCP_SESSION,
  modern: modernHandler({ createServer }),
  authorize: auth.authorize,
});
export const { McpSession, McpHub } = mcp;
export default new Hono().route("/", auth.metadata).route("/", mcp.router);
