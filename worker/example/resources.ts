/**
 * Resources and their subscriptions. Texts and addresses are the conformance suite's.
 * @module
 */
import { ResourceTemplate } from "@modelcontextprotocol/server";
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";

import type { ServerContext } from "../../src/session/server/factory.ts";
import type { Announce } from "./announce.ts";
import { RED_PIXEL_PNG } from "./content-fixtures.ts";
import { text } from "./reply.ts";

const Touch = z.object({ uri: z.string() });
const PLAIN = { mimeType: "text/plain" };
const PNG = { mimeType: "image/png" };
const JSON_TYPE = { mimeType: "application/json" };

/** Registers the resources, `resources/subscribe`, and the tool `touch` that makes a subscription tell. */
export function registerResources(server: McpServer, context: ServerContext, announce: Announce): void {
  server.registerResource("static-text", "test://static-text", PLAIN, (uri) => ({
    contents: [{ uri: uri.href, ...PLAIN, text: "This is the content of the static text resource." }],
  }));

  server.registerResource("static-binary", "test://static-binary", PNG, (uri) => ({
    contents: [{ uri: uri.href, ...PNG, blob: RED_PIXEL_PNG }],
  }));

  server.registerResource("watched-resource", "test://watched-resource", PLAIN, (uri) => ({
    contents: [{ uri: uri.href, ...PLAIN, text: "Watched resource content" }],
  }));

  const template = new ResourceTemplate("test://template/{id}/data", { list: undefined });
  server.registerResource("template", template, JSON_TYPE, (uri, { id }) => ({
    contents: [
      {
        uri: uri.href,
        ...JSON_TYPE,
        text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }),
      },
    ],
  }));

  // Kept in memory on purpose: after a restart it is the transport that brings subscriptions back, by replaying them.
  const subscribed = new Set<string>();
  if (context.era === "session") {
    server.server.setRequestHandler("resources/subscribe", ({ params }) => {
      subscribed.add(params.uri);
      return {};
    });
    server.server.setRequestHandler("resources/unsubscribe", ({ params }) => {
      subscribed.delete(params.uri);
      return {};
    });
  }

  server.registerTool(
    "touch",
    { description: "Tells subscribers that a resource changed", inputSchema: Touch },
    ({ uri }) => {
      if (context.era === "session" && !subscribed.has(uri)) return text("not subscribed");
      return announce({ kind: "resource_updated", uri });
    },
  );
}
