/**
 * A Worker of which another version is deployed by its variables, `VERSION` and `INSTRUCTIONS`; a POST to
 * `/__test/notify?uri=` publishes. Never deployed itself.
 * @module
 */
import { env } from "cloudflare:workers";
import { createMcpWorker, optionsFromEnv } from "../../worker/cloudflare.ts";
import { createDeployedServer } from "../support/deployed-server.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  MCP_HUB: DurableObjectNamespace;
  VERSION?: string;
  INSTRUCTIONS?: string;
  [setting: string]: unknown;
}

const { VERSION, INSTRUCTIONS, ...settings } = { ...env } as unknown as Env;

const mcp = createMcpWorker<Env>({
  createServer: () =>
    createDeployedServer({
      ...(VERSION !== undefined && { version: VERSION }),
      ...(INSTRUCTIONS !== undefined && { instructions: INSTRUCTIONS }),
    }),
  namespace: (bindings) => bindings.MCP_SESSION,
  hub: (bindings) => bindings.MCP_HUB,
  onEvent: (event) => console.log(JSON.stringify(event)),
  ...optionsFromEnv(settings),
});

export const { McpSession, McpHub } = mcp;

export default {
  fetch(request: Request, bindings: Env, context: ExecutionContext): Response | Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/__test/notify") return mcp.router.fetch(request, bindings, context);
    mcp.notify.resourceUpdated(searchParams.get("uri") ?? "");
    return new Response(null, { status: 204 });
  },
};
