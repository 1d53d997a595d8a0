/**
 * The example server: tools that make the transport work, and every fixture the conformance suite names.
 * @module
 */
import { McpServer } from "@modelcontextprotocol/server";
import type { CacheHint } from "@modelcontextprotocol/server";

import type { ServerContext } from "../../src/session/server/factory.ts";
import { createAnnounce } from "./announce.ts";
import { registerContentFixtures } from "./content-fixtures.ts";
import { registerInputFixtures } from "./input-fixtures.ts";
import { registerPrompts } from "./prompts.ts";
import { registerPushFixtures } from "./push-fixtures.ts";
import { createRoundStates } from "./request-state.ts";
import { registerResources } from "./resources.ts";
import { registerStatelessFixtures } from "./stateless-fixtures.ts";
import { registerTaskFixtures } from "./task-fixtures.ts";
import { registerTransportTools } from "./transport-tools.ts";

// The lists are the same for everybody and change with a deployment only.
const SHARED: CacheHint = { ttlMs: 60_000, cacheScope: "public" };

/** What the landing page says of it. */
export const EXAMPLE_DESCRIPTION = "The example server of Holdfast: tools that make the transport work.";

/** Builds the example server for one session, or in the modern era for one request. */
export function createExampleServer(context: ServerContext): McpServer {
  const states = createRoundStates(context);
  const server = new McpServer(
    { name: "holdfast-example", version: "0.1.0" },
    {
      instructions: "Tools that exercise an MCP transport. Start with `echo` and `whoami`.",
      capabilities: { logging: {}, resources: { subscribe: true } },
      cacheHints: {
        "server/discover": SHARED,
        "tools/list": SHARED,
        "prompts/list": SHARED,
        "resources/list": SHARED,
        "resources/templates/list": SHARED,
        "resources/read": SHARED,
      },
      requestState: { verify: states.verify },
    },
  );
  const announce = createAnnounce(server, context);

  registerTransportTools(server, context);
  registerContentFixtures(server);
  registerResources(server, context, announce);
  registerPrompts(server);
  registerInputFixtures(server, states);
  registerStatelessFixtures(server, announce);
  registerTaskFixtures(server);
  if (context.era === "session") registerPushFixtures(server);
  return server;
}
