/** Compiled, never run: what `env` is, where it is named and where it is not. */
import { McpServer } from "@modelcontextprotocol/server";
import type { Hono } from "hono";
import { modernHandler } from "../../src/modern/index.ts";
import { createMcpWorker, type McpWorker, type ServerContext } from "../../worker/cloudflare.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  KEY: string;
}
const named = (name: string): McpServer => new McpServer({ name, version: "0" });
const careless = ({ era }: ServerContext): McpServer => named(era);
const careful = ({ env }: ServerContext<Env>): McpServer => named(env.KEY);

// Declared on the left alone, whatever the factory looks at.
export const declared: McpWorker<Env>[] = [
  createMcpWorker({
    createServer: careless,
    namespace: (env) => env.MCP_SESSION,
    modern: modernHandler({ createServer: careless }),
    authorize: (_request, c) => ({ principal: c.env.KEY }),
  }),
  createMcpWorker({ createServer: careful, namespace: (env) => env.MCP_SESSION }),
  createMcpWorker({ createServer: ({ env }) => named(env.KEY), namespace: (env) => env.MCP_SESSION }),
  createMcpWorker<Env>({ createServer: careless, namespace: (env) => env.MCP_SESSION }),
];

// Named where it is taken.
const inferred = createMcpWorker({
  createServer: careless,
  namespace: (env: Env) => env.MCP_SESSION,
  hub: (env) => env.MCP_SESSION,
});
export const router: Hono<{ Bindings: Env; Variables: object }> = inferred.router;

export const unnamed = createMcpWorker({
  createServer: careless,
  // @ts-expect-error Property 'MCP_SESSION' does not exist on type 'EnvNotNamed'
  namespace: (env) => env.MCP_SESSION,
});
