/**
 * The official SDK's own way to keep sessions (its examples do the same): one transport for each, in a
 * Map. Resumable, with an event store in memory.
 * @module
 */
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import {
  type EventStore,
  WebStandardStreamableHTTPServerTransport as Transport,
} from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import {
  CallToolRequestSchema,
  type JSONRPCMessage,
  ListToolsRequestSchema,
  SubscribeRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { type HttpServer, serveHttp } from "./http-server.ts";
import type { RunningTarget, Target } from "./target.ts";

export interface SessionServerOptions {
  /** What the server declares besides tools. */
  readonly instructions?: () => string | undefined;
  readonly port?: number;
  /** The `retry:` of priming events. */
  readonly retryMs?: number;
}

/** Serves at `/mcp`. */
export async function startSdkSessionServer(
  options: SessionServerOptions = {},
): Promise<RunningTarget & { http: HttpServer }> {
  let sessions = new Map<string, Transport>();

  async function handle(request: Request): Promise<Response> {
    const id = request.headers.get("mcp-session-id");
    if (id !== null) {
      const known = sessions.get(id);
      return known?.handleRequest(request) ?? sessionNotFound();
    }
    const transport = new Transport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (opened) => void sessions.set(opened, transport),
      onsessionclosed: (closed) => void sessions.delete(closed),
      eventStore: createEventStore(),
      retryInterval: options.retryMs ?? 50,
    });
    await createServer(options.instructions?.()).connect(transport);
    return transport.handleRequest(request);
  }

  const http = await serveHttp(handle, options.port);
  return {
    http,
    url: `${http.url}/mcp`,
    wipe: () => {
      // The transports are not told: their streams stay open, as behind a proxy that has not noticed.
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

export const sdkSessionServer: Target = {
  name: "the official SDK's session server",
  start: () => startSdkSessionServer(),
};

const sessionNotFound = (): Response =>
  Response.json(
    { jsonrpc: "2.0", error: { code: -32001, message: "Session not found" }, id: null },
    { status: 404 },
  );

function createServer(instructions: string | undefined): Server {
  const server = new Server(
    { name: "sdk-sessions", version: "1.0.0" },
    {
      capabilities: { tools: {}, logging: {}, resources: { subscribe: true } },
      ...(instructions === undefined ? {} : { instructions }),
    },
  );
  const subscribed = new Set<string>();
  server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    subscribed.add(params.uri);
    return {};
  });
  const inputSchema = { type: "object" as const };
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: ["echo", "emit", "touch", "ask", "sleep"].map((name) => ({
      name,
      description: `Tool ${name}`,
      inputSchema,
    })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const given = (params.arguments ?? {}) as {
      text: string;
      count: number;
      on: string;
      uri: string;
      message: string;
      ms: number;
    };
    const text = (value: string): { content: { type: "text"; text: string }[] } => ({
      content: [{ type: "text", text: value }],
    });
    const { _meta: meta } = params;
    switch (params.name) {
      case "echo":
        return text(given.text);
      case "emit":
        for (let n = 1; n <= given.count; n++) {
          const message = { level: "info" as const, data: { n } };
          // Unlike a notification by `extra`, this one heeds the level that the client set.
          if (given.on === "standalone") await server.sendLoggingMessage(message, extra.sessionId);
          else await extra.sendNotification({ method: "notifications/message", params: message });
        }
        return text("emitted");
      case "touch":
        if (!subscribed.has(given.uri)) return text("not subscribed");
        await server.sendResourceUpdated({ uri: given.uri });
        return text("touched");
      case "ask": {
        const requestedSchema = {
          type: "object" as const,
          properties: { answer: { type: "string" as const } },
        };
        const answer = await server.elicitInput(
          { message: given.message, requestedSchema },
          given.on === "standalone" ? {} : { relatedRequestId: extra.requestId },
        );
        return text(JSON.stringify(answer.content));
      }
      case "sleep": {
        if (meta?.progressToken !== undefined) {
          const params = { progressToken: meta.progressToken, progress: 1, total: 1, message: "half way" };
          await extra.sendNotification({ method: "notifications/progress", params });
        }
        await new Promise((resolve) => setTimeout(resolve, given.ms));
        return text("slept");
      }
      default:
        return { ...text(`no such tool: ${params.name}`), isError: true };
    }
  });
  return server;
}

/** Keeps the events of one session, for ever. */
function createEventStore(): EventStore {
  const events: { id: string; stream: string; message: JSONRPCMessage }[] = [];
  return {
    storeEvent(stream, message) {
      const id = `${stream}/${events.length}`;
      events.push({ id, stream, message });
      return Promise.resolve(id);
    },
    getStreamIdForEventId: (id) => Promise.resolve(events.find((event) => event.id === id)?.stream),
    async replayEventsAfter(lastEventId, { send }) {
      const at = events.findIndex(({ id }) => id === lastEventId);
      const stream = events[at]?.stream ?? "";
      for (const event of events.slice(at + 1)) {
        // Priming events are stored as empty objects.
        if (event.stream === stream && "jsonrpc" in event.message) await send(event.id, event.message);
      }
      return stream;
    },
  };
}
