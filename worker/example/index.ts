/** The example, as it is deployed. @module */
import { createMcpWorker } from "../cloudflare.ts";
import { type Env, exampleOptions } from "./options.ts";

const mcp = createMcpWorker<Env>(exampleOptions());

export const { McpSession, McpHub } = mcp;
export default mcp.router;
