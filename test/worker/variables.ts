/** Compiled, never run: what middleware has set has its type in the hooks of `createMcpWorker`. */
import { Hono } from "hono";
import { createMcpWorker } from "../../worker/cloudflare.ts";
import { createV1Server } from "../support/v1-server.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  TENANT: string;
}
interface Variables {
  user: { id: string };
}

const mcp = createMcpWorker<Env, Variables>({
  createServer: createV1Server,
  namespace: (env) => env.MCP_SESSION,
  authorize(_request, c) {
    // @ts-expect-error nobody has set it
    c.get("nothing");
    return { principal: `${c.env.TENANT}:${c.get("user").id}` };
  },
});

export const app = new Hono<{ Bindings: Env; Variables: Variables }>().route("/", mcp.router);
