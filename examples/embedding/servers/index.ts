/** The three servers by name: the variable `SERVER` says which one the app has. @module */
import type { CreateServer, ServerContext } from "../../../src/index.ts";
import { createServer as mcpLite } from "./mcp-lite.ts";
import { createServer as sdkV1 } from "./sdk-v1.ts";
import { createServer as sdkV2 } from "./sdk-v2.ts";

const SERVERS: Readonly<Record<string, CreateServer>> = {
  "sdk-v1": sdkV1,
  "sdk-v2": sdkV2,
  "mcp-lite": mcpLite,
};

export interface Variables {
  SERVER?: string | undefined;
}

export function createServer(context: ServerContext<Variables>): ReturnType<CreateServer> {
  const { SERVER = "sdk-v2" } = context.env;
  const create = SERVERS[SERVER];
  if (create === undefined)
    throw new Error(`SERVER must be one of ${Object.keys(SERVERS).join(", ")}, not ${SERVER}`);
  return create(context);
}
