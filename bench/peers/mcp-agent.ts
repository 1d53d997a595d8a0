/** Cloudflare's McpAgent (`agents`), as its documentation sets it up, with the same tools. @module */
import { DurableObject } from "cloudflare:workers";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpAgent } from "agents/mcp";
import * as z from "zod";
import { notification } from "../lib/notification.ts";
import { answerBench, countedNamespace, watched } from "../worker/watched.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  BENCH_COUNT?: string;
}

class Bench extends McpAgent<Cloudflare.Env & Env> {
  server = new McpServer({ name: "bench", version: "1.0.0" }, { capabilities: { logging: {} } });

  override async init(): Promise<void> {
    this.server.registerTool(
      "echo",
      { description: "Echoes", inputSchema: { text: z.string() } },
      ({ text }) => ({
        content: [{ type: "text", text }],
      }),
    );
    const inputSchema = { count: z.int(), on: z.enum(["request", "standalone"]) };
    this.server.registerTool("emit", { description: "Emits", inputSchema }, async ({ count, on }, extra) => {
      for (let n = 1; n <= count; n++) {
        if (on === "request") await extra.sendNotification(notification(n));
        else await this.server.server.notification(notification(n));
      }
      return { content: [{ type: "text", text: `sent ${count}` }] };
    });
  }
}

export class McpSession extends watched(Bench) {}
export class McpHub extends DurableObject {}

const handler = Bench.serve("/mcp", { binding: "MCP_SESSION" });

export default {
  fetch(request, env, context) {
    const { MCP_SESSION, BENCH_COUNT } = env;
    const idOf = (session: string): DurableObjectId => MCP_SESSION.idFromName(`streamable-http:${session}`);
    const bindings = BENCH_COUNT === "on" ? { ...env, MCP_SESSION: countedNamespace(MCP_SESSION) } : env;
    return answerBench(request, MCP_SESSION, idOf) ?? handler.fetch(request, bindings, context);
  },
} satisfies ExportedHandler<Env>;
