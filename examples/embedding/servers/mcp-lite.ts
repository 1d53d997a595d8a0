/**
 * A server made with mcp-lite, which has no `connect`: anything that takes a message and gives an answer
 * can be connected like this.
 * @module
 */
import { type JsonRpcReq, type JsonRpcRes, McpServer } from "mcp-lite";
import * as z from "zod";
import type { ConnectableServer, ServerContext, SessionTransport, WireMessage } from "../../../src/index.ts";

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

/**
 * Gives an mcp-lite server the `connect` that it lacks. It can be connected any number of times: one server
 * for all sessions is what mcp-lite is made for.
 */
export function connectable(server: McpServer): ConnectableServer {
  const transports = new Map<string | undefined, SessionTransport>();
  /** Requests of the server to a client that are not answered yet. */
  const asked = new Map<unknown, (answer: JsonRpcRes) => void>();

  server._setNotificationSender(async (session, notification, options) => {
    // What concerns no one session (a list has changed) concerns all of them.
    const to = session === undefined ? [...transports.values()] : [transports.get(session)];
    const message = { jsonrpc: "2.0", ...notification } as WireMessage;
    await Promise.all(to.map((transport) => transport?.send(message, options)));
  });
  server._setClientRequestSender(async (session, request, options) => {
    const transport = transports.get(session);
    if (transport === undefined) throw new Error("The session has ended");
    const answer = new Promise<JsonRpcRes>((resolve) => asked.set(request.id, resolve));
    await transport.send(request as WireMessage, options);
    return answer;
  });

  return {
    async connect(transport) {
      const { sessionId } = transport;
      /** What the client said in `initialize`. */
      let client: Context = {};
      transports.set(sessionId, transport);
      const onclose = (): void => void transports.delete(sessionId);
      const onmessage: SessionTransport["onmessage"] = (received, extra) => {
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
        const authInfo = extra?.authInfo as Context["authInfo"];
        void server._dispatch(message, { ...client, sessionId, authInfo }).then((response) => {
          if (response !== null) return transport.send(response as WireMessage);
        });
      };
      Object.assign(transport, { onclose, onmessage });
      await transport.start();
    },
  };
}
