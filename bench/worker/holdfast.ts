/** Holdfast on Workers, as it is measured. @module */
import { env } from "cloudflare:workers";
import { modernHandler } from "../../src/modern/index.ts";
import { createMcpWorker, optionsFromEnv } from "../../worker/cloudflare.ts";
import { sdkServer, serverNamed } from "../lib/servers.ts";
import { answerBench, watched } from "./watched.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  MCP_HUB: DurableObjectNamespace;
}

const variables: Record<string, unknown> = { ...env };

const createServer = serverNamed(variables["BENCH_SERVER"] as string | undefined);
const maxListeners = Number(variables["BENCH_LISTENERS"] ?? 0);

const mcp = createMcpWorker<Env>({
  createServer,
  ...(maxListeners > 0 && { modern: modernHandler<Env>({ createServer: sdkServer(2), maxListeners }) }),
  namespace: (bindings) => bindings.MCP_SESSION,
  hub: (bindings) => bindings.MCP_HUB,
  logLevel: "warn",
  ...optionsFromEnv(variables),
});

export class McpSession extends watched(mcp.McpSession) {}
export class McpHub extends watched(mcp.McpHub) {}

export default {
  fetch(request, bindings, context) {
    if (!request.url.endsWith("/__bench/publish"))
      return answerBench(request, bindings.MCP_SESSION) ?? mcp.router.fetch(request, bindings, context);
    mcp.notify.toolsListChanged();
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler<Env>;
