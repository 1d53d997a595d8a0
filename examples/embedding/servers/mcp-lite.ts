/**
 * A server made with mcp-lite, which has no `connect`: anything that takes a message and gives an answer
 * can be connected like this.
 * @module
 */
import { type JsonRpcReq, type JsonRpcRes, McpServer } from "mcp-lite";
import * as z from "zod";
import type { ConnectableServer, ServerContext, WireMessage } from "../../../src/index.ts";

export function createServer({ session }: ServerContext): ConnectableServer {
  const server = new McpServer({
    name: "mcp-lite",
    version: "1.0.0",
    schemaAdapter: (schema) => z.toJSONSchema(schema as z.ZodType),
  });

  server.tool("whoami", {
    description: "Tells who calls",
    handler: () => ({ content: [{ type: "text", text: session?.principal ?? "nobody" }] }),
  });

  server.tool("count", {
    description: "Counts, with progress",
    inputSchema: z.object({ to: z.int() }),
    handler: async ({ to }, ctx) => {
      for (let n = 1; n <= to; n++) await ctx.progress?.({ progress: n, total: to });
      return { content: [{ type: "text", text: `counted to ${to}` }] };
    },
  });
  return connectable(server);
}

type Context = NonNullable<Parameters<McpServer["_dispatch"]>[1]>;

/** Gives an mcp-lite server the `connect` that it lacks. */
export function connectable(server: McpServer): ConnectableServer {
  return {
    async connect(transport) {
      /** What the client said in `initialize`. */
      let client: Context = {};
      /** Requests of the server to the client that are not answered yet. */
      const asked = new Map<unknown, (answer: JsonRpcRes) => void>();

      server._setNotificationSender((_session, notification, options) =>
        transport.send({ jsonrpc: "2.0", ...notification } as WireMessage, options),
      );
      server._setClientRequestSender((_session, request, options) => {
        const answer = new Promise<JsonRpcRes>((resolve) => asked.set(request.id, resolve));
        return transport.send(request as WireMessage, options).then(() => answer);
      });

      // oxlint-disable-next-line unicorn/prefer-add-event-listener -- a transport is no EventTarget
      transport.onmessage = (received, extra) => {
        const message = received as JsonRpcReq & JsonRpcRes;
        if (message.method === undefined) {
          asked.get(message.id)?.(message);
          asked.delete(message.id);
          return;
        }
        if (message.method === "initialize") {
          const { capabilities, protocolVersion } = message.params as Record<string, never>;
          client = { clientCapabilities: capabilities, sessionProtocolVersion: protocolVersion };
        }
        const { sessionId } = transport;
        const authInfo = extra?.authInfo as Context["authInfo"];
        void server._dispatch(message, { ...client, sessionId, authInfo }).then((response) => {
          if (response !== null) return transport.send(response as WireMessage);
        });
      };
      await transport.start();
    },
  };
}
