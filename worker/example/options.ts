/** How the example is put together, deployed or under `npm start`. @module */
import { landingPage } from "../../src/landing/index.ts";
import { modernHandler } from "../../src/modern/index.ts";
import type { McpWorkerOptions } from "../cloudflare.ts";
import { createExampleServer, EXAMPLE_DESCRIPTION } from "./server.ts";
import { exampleTasks } from "./task-fixtures.ts";

/** What the example is bound to. */
export interface Env {
  MCP_SESSION: DurableObjectNamespace;
  MCP_HUB: DurableObjectNamespace;
}

/** What both have in common; `HOLDFAST_*` variables are options besides. */
export function exampleOptions(): McpWorkerOptions<Env> {
  return {
    name: "holdfast-example",
    version: "0.1.0",
    createServer: createExampleServer,
    namespace: (bindings) => bindings.MCP_SESSION,
    modern: modernHandler<Env>({ createServer: createExampleServer, tasks: exampleTasks() }),
    hub: (bindings) => bindings.MCP_HUB,
    landing: landingPage({ description: EXAMPLE_DESCRIPTION }),
  };
}
