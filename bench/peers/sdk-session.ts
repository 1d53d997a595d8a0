/**
 * The official SDK's session transport, as its own example sets it up: express, one server and one
 * transport a session, in a map. `BENCH_JSON=on` takes its JSON answers instead of event streams.
 * @module
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import process from "node:process";
import { createMcpExpressApp } from "@modelcontextprotocol/sdk/server/express.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { isInitializeRequest } from "@modelcontextprotocol/sdk/types.js";
import * as z from "zod";

/** What is used of express, which has no types of its own. */
type Request = IncomingMessage & { body: unknown };
type Response = ServerResponse & { status(code: number): { json(body: object): void } };

const transports = new Map<string, StreamableHTTPServerTransport>();

function createServer(): McpServer {
  const server = new McpServer({ name: "bench", version: "1.0.0" }, { capabilities: { logging: {} } });
  server.registerTool("echo", { description: "Echoes", inputSchema: { text: z.string() } }, ({ text }) => ({
    content: [{ type: "text", text }],
  }));
  return server;
}

const app = createMcpExpressApp();
app.post("/mcp", async (request: Request, response: Response) => {
  const id = request.headers["mcp-session-id"];
  let transport = typeof id === "string" ? transports.get(id) : undefined;
  if (transport === undefined) {
    if (id !== undefined || !isInitializeRequest(request.body)) {
      response
        .status(404)
        .json({ jsonrpc: "2.0", error: { code: -32001, message: "Session not found" }, id: null });
      return;
    }
    const opened = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse: process.env["BENCH_JSON"] === "on",
      onsessioninitialized: (session) => void transports.set(session, opened),
    });
    Object.assign(opened, { onclose: () => transports.delete(opened.sessionId ?? "") });
    await createServer().connect(opened);
    transport = opened;
  }
  await transport.handleRequest(request, response, request.body);
});
const port = Number(process.env["PORT"]);
app.listen(port, "127.0.0.1", () => console.log(`Listening on http://127.0.0.1:${port}`));
