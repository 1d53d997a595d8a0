/**
 * The floor: what a Worker with one Durable Object a session cannot go below. The body is forwarded, parsed
 * once by the object and answered as JSON; a stream is a body that the object writes and nobody logs.
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import { notification } from "../lib/notification.ts";
import { answerBench, watched } from "./watched.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  /** `on`: each event is a row before it is written, and that is all. */
  BENCH_LOG?: string;
}

interface Call {
  id?: number;
  method: string;
  params: { name?: string; arguments: { text?: string; count?: number } };
}

const CHUNK = 16_384;

export class McpHub extends DurableObject {}

class Floor extends DurableObject<Env> {
  override async fetch(request: Request): Promise<Response> {
    const { id, method, params } = await request.json<Call>();
    if (id === undefined) return new Response(null, { status: 202 });
    const answer = (text: string | undefined): object => ({
      jsonrpc: "2.0",
      id,
      result: { content: [{ type: "text", text }] },
    });
    if (method !== "tools/call" || params.name === "echo")
      return Response.json(answer(params.arguments?.text));
    const { count = 0 } = params.arguments;
    const { readable, writable } = new IdentityTransformStream();
    const write = async (): Promise<void> => {
      const writer = writable.getWriter();
      const encoder = new TextEncoder();
      // As few writes as a reader can be served by, since each crosses to the Worker.
      const { sql } = this.ctx.storage;
      const isLogged = this.env.BENCH_LOG === "on";
      if (isLogged) sql.exec("CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, data TEXT)");
      let chunk = "";
      for (let n = 1; n <= count; n++) {
        const json = JSON.stringify({ jsonrpc: "2.0", ...notification(n) });
        if (isLogged) sql.exec("INSERT INTO event VALUES (?, ?)", n, json);
        chunk += `id: ${n}\ndata: ${json}\n\n`;
        if (chunk.length < CHUNK && n < count) continue;
        await writer.write(encoder.encode(chunk));
        chunk = "";
      }
      await writer.write(encoder.encode(`data: ${JSON.stringify(answer(`sent ${count}`))}\n\n`));
      await writer.close();
    };
    this.ctx.waitUntil(write());
    return new Response(readable, { headers: { "Content-Type": "text/event-stream" } });
  }
}

export class McpSession extends watched(Floor) {}

export default {
  fetch(request, env) {
    const answered = answerBench(request, env.MCP_SESSION);
    if (answered !== undefined) return answered;
    const id = request.headers.get("mcp-session-id");
    if (request.method !== "POST") return new Response("ok");
    if (id !== null) {
      const object = env.MCP_SESSION.get(env.MCP_SESSION.idFromString(id));
      return object.fetch("https://session/", { method: "POST", body: request.body });
    }
    return Response.json(
      { jsonrpc: "2.0", id: 1, result: {} },
      { headers: { "Mcp-Session-Id": env.MCP_SESSION.newUniqueId().toString() } },
    );
  },
} satisfies ExportedHandler<Env>;
