/** The soak's server on Workers. @module */
import { env } from "cloudflare:workers";
import { createMcpWorker, optionsFromEnv } from "../../worker/cloudflare.ts";
import { createSoakServer } from "../soak/server.ts";
import { answerBench, watched } from "./watched.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
}

const mcp = createMcpWorker<Env>({
  createServer: createSoakServer,
  namespace: (bindings) => bindings.MCP_SESSION,
  logLevel: "warn",
  ...optionsFromEnv({ ...env } as Record<string, unknown>),
});

export class McpSession extends watched(mcp.McpSession) {}
/** Bound by every configuration of these tests; nothing uses it here. */
export class McpHub extends watched(mcp.McpHub) {}

export default {
  fetch: (request, bindings, context) =>
    answerBench(request, bindings.MCP_SESSION) ?? mcp.router.fetch(request, bindings, context),
} satisfies ExportedHandler<Env>;
