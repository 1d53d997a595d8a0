/**
 * Telling clients that something changed: everyone who listens, in either era, through the hub; where there is none, a
 * session can still tell its own client.
 * @module
 */
import type { CallToolResult, McpServer } from "@modelcontextprotocol/server";

import type { Change } from "../../src/changes.ts";
import type { ServerContext } from "../../src/session/server/factory.ts";
import { failure, text } from "./reply.ts";

/** Tells of a change, and gives the result for the tool that caused it. */
export type Announce = (change: Change) => Promise<CallToolResult>;

/** Announces for one server, as its context allows. */
export function createAnnounce({ server }: McpServer, context: ServerContext): Announce {
  return async (change) => {
    if (context.notify) context.notify.publish(change);
    else if (context.era === "session") await notifySession(server, change);
    else return failure("There is no hub, so nobody can hear of changes.");
    return text("announced");
  };
}

async function notifySession(server: McpServer["server"], change: Change): Promise<void> {
  switch (change.kind) {
    case "tools_list_changed":
      return server.sendToolListChanged();
    case "prompts_list_changed":
      return server.sendPromptListChanged();
    case "resources_list_changed":
      return server.sendResourceListChanged();
    case "resource_updated":
      return server.sendResourceUpdated({ uri: change.uri });
  }
}
