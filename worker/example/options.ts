/** How the example is put together, deployed or under `npm start`. @module */
import { modernHandler } from "../../src/modern/index.ts";
import { type McpWorkerOptions, optionsFromEnv } from "../cloudflare.ts";
import { createExampleServer } from "./server.ts";

/** What the example is bound to. */
export interface Env {
  MCP_SESSION: DurableObjectNamespace;
  MCP_HUB: DurableObjectNamespace;
}

/** @param variables of the environment; `HOLDFAST_*` are options */
export function exampleOptions(variables: Readonly<Record<string, unknown>>): McpWorkerOptions<Env> {
  return {
    name: "holdfast-example",
    version: "0.1.0",
    createServer: createExampleServer,
    namespace: (bindings) => bindings.MCP_SESSION,
    modern: modernHandler<Env>({ createServer: createExampleServer }),
    hub: (bindings) => bindings.MCP_HUB,
    ...optionsFromEnv(variables),
  };
}
