/** A router over `durableHost` alone, without `createMcpWorker`; the classes are there for the configuration. */
import { createMcpRouter, durableHost } from "../../worker/cloudflare.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
}

export {
  DurableObject as McpHub,
  DurableObject as McpSession,
  DurableObject as Other,
} from "cloudflare:workers";
export default createMcpRouter<{ Bindings: Env }>({
  host: durableHost({ namespace: (env: Env) => env.MCP_SESSION }),
});
