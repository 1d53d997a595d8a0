/** The reading list on Workers: each user's state is in an object of the session class. @module */
import { modernHandler } from "../../src/modern/index.ts";
import { createMcpWorker } from "../../worker/cloudflare.ts";
import { authorize, createServer } from "./server.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
}

const mcp = createMcpWorker<Env>({
  createServer,
  authorize,
  namespace: (bindings) => bindings.MCP_SESSION,
  modern: modernHandler<Env>({ createServer }),
});
export const { McpSession } = mcp;
export default mcp.router;
