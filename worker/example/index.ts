/** The example, deployed: `npm start` serves this file. @module */
import { env } from "cloudflare:workers";
import { createMcpWorker, optionsFromEnv } from "../cloudflare.ts";
import { createExampleServer } from "./server.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
}

const mcp = createMcpWorker<Env>({
  name: "holdfast-example",
  version: "0.1.0",
  createServer: createExampleServer,
  namespace: (bindings) => bindings.MCP_SESSION,
  ...optionsFromEnv({ ...env }),
});

export const McpSession = mcp.McpSession;
export default mcp.router;
