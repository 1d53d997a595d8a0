/** A server of HTTP+SSE (2024-11-05), as the official SDK has it: a session is a stream. @module */
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

export interface SseServer {
  /** GET opens a stream here; POST is not allowed. */
  readonly url: string;
  /** Streams that were opened so far. */
  readonly opened: number;
  /** Calls of tools that arrived. */
  readonly called: number;
  /** Cuts every connection, and forgets every session. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startSseServer(): Promise<SseServer> {
  let http: HttpServer | undefined;
  let port = 0;
  let opened = 0;
  let called = 0;

  const start = async (): Promise<void> => {
    const streams = new Map<string, SSEServerTransport>();
    const server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
      if (pathname === "/sse" && request.method === "GET") {
        opened++;
        const transport = new SSEServerTransport("/messages", response);
        streams.set(transport.sessionId, transport);
        void createMcpServer(() => called++).connect(transport);
      } else if (pathname === "/messages") {
        const transport = streams.get(searchParams.get("sessionId") ?? "");
        if (transport === undefined) response.writeHead(404).end();
        else void transport.handlePostMessage(request, response);
      } else response.writeHead(405).end();
    });
    http = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(port, "127.0.0.1", resolve);
    });
    ({ port } = server.address() as AddressInfo);
  };
  await start();
  return {
    url: `http://127.0.0.1:${port}/sse`,
    get opened() {
      return opened;
    },
    get called() {
      return called;
    },
    start,
    stop: () =>
      new Promise((resolve) => {
        http?.close(() => resolve());
        http?.closeAllConnections();
      }),
  };
}

function createMcpServer(onCall: () => void): Server {
  const server = new Server({ name: "sse", version: "1.0.0" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: ["echo", "hang"].map((name) => ({ name, inputSchema: { type: "object" as const } })),
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
    onCall();
    if (params.name === "hang") return new Promise<never>(() => undefined);
    return { content: [{ type: "text", text: String(params.arguments?.["text"]) }] };
  });
  return server;
}
