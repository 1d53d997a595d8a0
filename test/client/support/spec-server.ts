/**
 * A server that answers what the specification says and no more: plain JSON, an empty 404 for a session
 * that it does not know, streams without event ids, no word on what it could leave out.
 * @module
 */
import type { Message } from "../../support/messages.ts";
import { serveHttp } from "./http-server.ts";
import type { RunningTarget, Target } from "./target.ts";

interface Session {
  level: string;
  readonly subscribed: Set<string>;
  /** Writes to the standalone stream, if one is open. */
  push(message: Message): void;
}

export async function startSpecServer(): Promise<RunningTarget> {
  let sessions = new Map<string, Session>();

  async function handle(request: Request): Promise<Response> {
    if (request.method === "POST") {
      const message = (await request.json()) as Message;
      if (message.method === "initialize") return open(message);
      const session = sessions.get(request.headers.get("mcp-session-id") ?? "");
      if (session === undefined) return new Response(null, { status: 404 });
      if (message.id === undefined || message.method === undefined)
        return new Response(null, { status: 202 });
      const result = answer(session, message);
      const error = { code: -32601, message: `no such method: ${message.method}` };
      return Response.json({
        jsonrpc: "2.0",
        id: message.id,
        ...(result === undefined ? { error } : { result }),
      });
    }
    const id = request.headers.get("mcp-session-id") ?? "";
    const session = sessions.get(id);
    if (session === undefined) return new Response(null, { status: 404 });
    if (request.method === "GET") return stream(session);
    sessions.delete(id);
    return new Response(null, { status: 204 });
  }

  function open({ id, params }: Message): Response {
    const sessionId = crypto.randomUUID();
    sessions.set(sessionId, { level: "info", subscribed: new Set(), push: () => undefined });
    const result = {
      protocolVersion: params?.["protocolVersion"],
      capabilities: { tools: {}, logging: {}, resources: { subscribe: true } },
      serverInfo: { name: "specification", version: "1" },
    };
    return Response.json({ jsonrpc: "2.0", id, result }, { headers: { "Mcp-Session-Id": sessionId } });
  }

  const http = await serveHttp(handle);
  return {
    url: `${http.url}/mcp`,
    wipe: () => {
      sessions = new Map();
      return Promise.resolve();
    },
    kill: async () => {
      await http.stop();
      sessions = new Map();
      await http.start();
    },
    close: () => http.stop(),
  };
}

export const specServer: Target = { name: "a server of the bare specification", start: startSpecServer };

function answer(session: Session, { method, params = {} }: Message): Message["result"] {
  const text = (value: string): Message["result"] => ({ content: [{ type: "text", text: value }] });
  switch (method) {
    case "ping":
      return {};
    case "logging/setLevel":
      session.level = String(params["level"]);
      return {};
    case "resources/subscribe":
      session.subscribed.add(String(params["uri"]));
      return {};
    case "tools/list":
      return { tools: [{ name: "echo", inputSchema: { type: "object" } }] };
    case "tools/call": {
      const given = params["arguments"] as { text: string; count: number; uri: string };
      switch (params["name"]) {
        case "echo":
          return text(given.text);
        case "emit":
          if (session.level === "error") return text("emitted");
          for (let n = 1; n <= given.count; n++) {
            session.push({
              jsonrpc: "2.0",
              method: "notifications/message",
              params: { level: "info", data: { n } },
            });
          }
          return text("emitted");
        case "touch":
          if (!session.subscribed.has(given.uri)) return text("not subscribed");
          session.push({
            jsonrpc: "2.0",
            method: "notifications/resources/updated",
            params: { uri: given.uri },
          });
          return text("touched");
        default:
          return undefined;
      }
    }
    default:
      return undefined;
  }
}

function stream(session: Session): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(": open\n\n"));
      session.push = (message) => controller.enqueue(encoder.encode(`data: ${JSON.stringify(message)}\n\n`));
    },
    cancel() {
      session.push = () => undefined;
    },
  });
  return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
}
