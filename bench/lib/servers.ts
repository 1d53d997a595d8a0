/** The MCP servers that are measured: the same `echo`, and what else a part needs. @module */
import { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { ConnectableServer, CreateServer } from "../../src/session/server/factory.ts";
import { notification } from "./notification.ts";

interface Request {
  id?: string | number;
  method?: string;
  params?: {
    protocolVersion?: string;
    name?: string;
    arguments?: { text?: string; count?: number; on?: string };
  };
}

/** Of a tool that is never called; four fields, as tools have. */
const idleSchema = () =>
  z.object({
    text: z.string(),
    count: z.int().min(0).optional(),
    kind: z.enum(["one", "two", "three"]).optional(),
    isDeep: z.boolean().default(false),
  });

/**
 * A server by the official SDK, with `tools` tools: `echo`, `emit` and idle ones. Their schemas are made once;
 * or, where they are `inside`, one for each tool and each run of the factory, as it is often written.
 */
export function sdkServer(tools: number, schemas: "outside" | "inside" = "outside"): () => McpServer {
  const Text = z.object({ text: z.string() });
  const idle = Array.from({ length: Math.max(0, tools - 2) }, idleSchema);
  const Emit = z.object({ count: z.int(), on: z.enum(["request", "standalone"]) });
  return () => {
    const server = new McpServer({ name: "bench", version: "1.0.0" }, { capabilities: { logging: {} } });
    server.registerTool("echo", { description: "Echoes", inputSchema: Text }, ({ text }) => ({
      content: [{ type: "text", text }],
    }));
    if (tools > 1) {
      server.registerTool("emit", { description: "Emits", inputSchema: Emit }, async ({ count, on }, ctx) => {
        for (let n = 1; n <= count; n++) {
          if (on === "request") await ctx.mcpReq.notify(notification(n));
          else await server.server.notification(notification(n));
        }
        return { content: [{ type: "text", text: `sent ${count}` }] };
      });
    }
    for (const [index, outside] of idle.entries()) {
      const inputSchema = schemas === "outside" ? outside : idleSchema();
      const tool = `tool-${index + 3}`;
      server.registerTool(tool, { description: tool, inputSchema }, ({ text }) => ({
        content: [{ type: "text", text }],
      }));
    }
    return server;
  };
}

/** A server that does no work: what is left is the transport's own cost. */
export const bareServer: CreateServer = (): ConnectableServer => ({
  async connect(transport) {
    const send = (message: object, related?: string | number): Promise<void> =>
      transport.send(
        { jsonrpc: "2.0", ...message },
        related === undefined ? {} : { relatedRequestId: related },
      );
    const onmessage = async (message: object): Promise<void> => {
      const { id, method, params } = message as Request;
      if (id === undefined) return;
      const text = (value: string | undefined): object => ({
        id,
        result: { content: [{ type: "text", text: value }] },
      });
      if (method === "initialize") {
        const { protocolVersion } = params ?? {};
        const serverInfo = { name: "bench", version: "1.0.0" };
        const capabilities = { tools: {}, logging: {} };
        return send({ id, result: { protocolVersion, capabilities, serverInfo } });
      }
      if (method !== "tools/call") return send({ id, result: {} });
      if (params?.name === "echo") return send(text(params.arguments?.text));
      const { count = 0, on } = params?.arguments ?? {};
      for (let n = 1; n <= count; n++) await send(notification(n), on === "request" ? id : undefined);
      return send(text(`sent ${count}`));
    };
    Object.assign(transport, { onmessage });
    await transport.start();
  },
});

/** By name: `bare`, or the number of tools of a server by the official SDK, with `+schemas` for theirs inside the factory. */
export function serverNamed(name = "2"): CreateServer {
  if (name === "bare") return bareServer;
  const [tools, inside] = name.split("+");
  return sdkServer(Number(tools), inside === undefined ? "outside" : "inside");
}
