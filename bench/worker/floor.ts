/**
 * The floor: what a Worker with one Durable Object a session cannot go below. The body is forwarded, parsed
 * once by the object and answered as JSON; a stream is a body that the object writes and nobody logs. The body crosses
 * by `fetch`, or as a string by RPC.
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import { notification } from "../lib/notification.ts";
import { answerBench, watched } from "./watched.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace<McpSession>;
  /** `rpc`: calls cross as strings. */
  BENCH_CROSSING?: string;
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

/** What is answered at once: all but the tool that streams. */
const isQuick = ({ method, params }: Call): boolean => method !== "tools/call" || params.name === "echo";

const answer = (id: number | undefined, text: string | undefined): object => ({
  jsonrpc: "2.0",
  id,
  result: { content: [{ type: "text", text }] },
});

class Floor extends DurableObject<Env> {
  /** A call that is answered quickly, as a string for a string; an empty one for what is only accepted. */
  async post(body: string): Promise<string> {
    const { id, params } = JSON.parse(body) as Call;
    return id === undefined ? "" : JSON.stringify(answer(id, params.arguments?.text));
  }

  override async fetch(request: Request): Promise<Response> {
    const call = await request.json<Call>();
    const { id, params } = call;
    if (id === undefined) return new Response(null, { status: 202 });
    if (isQuick(call)) return Response.json(answer(id, params.arguments?.text));
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
      await writer.write(encoder.encode(`data: ${JSON.stringify(answer(id, `sent ${count}`))}\n\n`));
      await writer.close();
    };
    this.ctx.waitUntil(write());
    return new Response(readable, { headers: { "Content-Type": "text/event-stream" } });
  }
}

export class McpSession extends watched(Floor) {}

export default {
  async fetch(request, env) {
    const counted = answerBench(request, env.MCP_SESSION);
    if (counted !== undefined) return counted;
    const id = request.headers.get("mcp-session-id");
    if (request.method !== "POST") return new Response("ok");
    if (id !== null) {
      const object = env.MCP_SESSION.get(env.MCP_SESSION.idFromString(id));
      if (env.BENCH_CROSSING === "rpc") {
        const answered = await object.post(await request.text());
        if (answered === "") return new Response(null, { status: 202 });
        return new Response(answered, { headers: { "Content-Type": "application/json" } });
      }
      return object.fetch("https://session/", { method: "POST", body: request.body });
    }
    return Response.json(
      { jsonrpc: "2.0", id: 1, result: {} },
      { headers: { "Mcp-Session-Id": env.MCP_SESSION.newUniqueId().toString() } },
    );
  },
} satisfies ExportedHandler<Env>;
