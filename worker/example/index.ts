/** The example, deployed: `npm start` serves this file. @module */
import { env } from "cloudflare:workers";
import { modernHandler } from "../../src/modern/index.ts";
import { testPage } from "../../src/test-page/index.ts";
import { createMcpWorker } from "../cloudflare.ts";
import { createExampleServer } from "./server.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  MCP_HUB: DurableObjectNamespace;
}

const variables: Record<string, unknown> = { ...env };

const mcp = createMcpWorker<Env>({
  name: "holdfast-example",
  version: "0.1.0",
  createServer: createExampleServer,
  namespace: (bindings) => bindings.MCP_SESSION,
  modern: modernHandler<Env>({ createServer: createExampleServer }),
  hub: (bindings) => bindings.MCP_HUB,
  testPage: variables["HOLDFAST_TEST_PAGE"] === "1" ? testPage : undefined,
});

export const { McpSession, McpHub } = mcp;
export default mcp.router;
