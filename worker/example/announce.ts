/**
 * Telling clients that something changed. A session hears it on its standalone stream; the 2026-07-28 era on
 * `subscriptions/listen`, which lives in other requests and is reached through the event bus.
 * @module
 */
import type { CallToolResult, McpServer, ServerEvent } from "@modelcontextprotocol/server";

import type { ServerContext } from "../../src/session/server.ts";
import { failure, text } from "./reply.ts";

/** Tells of a change, and gives the result for the tool that caused it. */
export type Announce = (event: ServerEvent) => Promise<CallToolResult>;

/** The way of the era that `server` is built for. Without `publish` the modern era has none. */
export function createAnnounce(
  { server }: McpServer,
  context: ServerContext,
  publish: ((event: ServerEvent) => void) | undefined,
): Announce {
  return async (event) => {
    if (context.era === "session") await notifySession(server, event);
    else if (publish) publish(event);
    else return failure("No event bus is attached, so nobody can hear of changes.");
    return text("announced");
  };
}

async function notifySession(server: McpServer["server"], event: ServerEvent): Promise<void> {
  switch (event.kind) {
    case "tools_list_changed":
      return server.sendToolListChanged();
    case "prompts_list_changed":
      return server.sendPromptListChanged();
    case "resources_list_changed":
      return server.sendResourceListChanged();
    case "resource_updated":
      return server.sendResourceUpdated({ uri: event.uri });
  }
}
