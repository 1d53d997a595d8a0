/**
 * `holdfast/cloudflare`: a deployable MCP server from one call.
 * @module
 */
import type { DurableObject } from "cloudflare:workers";
import type { Hono } from "hono";
import { resolveOptions } from "../src/options.ts";
import { createMcpRouter, type RouterOptions } from "../src/router.ts";
import type { CreateServer } from "../src/session/server.ts";
import { durableHost } from "./durable-host.ts";
import { sessionObject } from "./session-object.ts";

export * from "../src/index.ts";
export { durableHost, type DurableHostOptions } from "./durable-host.ts";

export interface McpWorkerOptions<Env extends object> extends Omit<RouterOptions<{ Bindings: Env }>, "host"> {
  /** Builds the MCP server of one session. */
  createServer: CreateServer<Env>;
  /** The namespace that {@link McpWorker.McpSession} is bound to. */
  namespace: (env: Env) => DurableObjectNamespace;
  /** Where sessions are kept, such as `eu`. */
  jurisdiction?: DurableObjectJurisdiction;
}

export interface McpWorker<Env extends object> {
  /** The Hono app: the Worker's default export, or part of one. */
  router: Hono<{ Bindings: Env }>;
  /** The Durable Object class: export it, and bind it with `new_sqlite_classes`. */
  McpSession: new (ctx: DurableObjectState, env: Env) => DurableObject<Env>;
}

/**
 * Makes the router and the Durable Object class behind it.
 * @throws {RangeError | TypeError} naming an option that is wrong
 * @example
 * const mcp = createMcpWorker<Env>({ createServer, namespace: (env) => env.MCP_SESSION });
 * export const McpSession = mcp.McpSession;
 * export default mcp.router;
 */
export function createMcpWorker<Env extends object>(options: McpWorkerOptions<Env>): McpWorker<Env> {
  const { createServer, namespace, jurisdiction } = options;
  const host = durableHost<Env>({ namespace, jurisdiction });
  return {
    router: createMcpRouter<{ Bindings: Env }>({ ...options, host }),
    McpSession: sessionObject<Env>({ settings: resolveOptions(options), createServer, namespace }),
  };
}
