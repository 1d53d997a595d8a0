/** The crawl on Workers: each of its tasks is an object of the session class. @module */
import { modernHandler } from "../../src/modern/index.ts";
import { createMcpWorker } from "../../worker/cloudflare.ts";
import { createServer, mayRunAgain, tasks } from "./server.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  MCP_HUB: DurableObjectNamespace;
}

const mcp = createMcpWorker<Env>({
  createServer,
  namespace: (bindings) => bindings.MCP_SESSION,
  hub: (bindings) => bindings.MCP_HUB,
  modern: modernHandler<Env>({ createServer, tasks }),
  rerun: mayRunAgain,
});
export const { McpSession, McpHub } = mcp;
export default mcp.router;
