/** A server as its author writes it, with the package from its tarball; runs on Node, Deno and Bun. */
import { McpServer } from "@modelcontextprotocol/server";
import { type CreateServer, createMcpRouter, SESSION_VERSIONS } from "holdfast";
import { oauthResource } from "holdfast/auth";
import { recoveringFetch } from "holdfast/client";
import { createLocalMcp, DatabaseError, localHost } from "holdfast/local";

const createServer: CreateServer<{ name: string }> = ({ env, session }) => {
  const server = new McpServer({ name: env.name, version: "1.0.0" });
  server.registerTool("count", {}, () => {
    const count = (session?.state.get<number>("count") ?? 0) + 1;
    session?.state.set("count", count);
    return { content: [{ type: "text", text: String(count) }] };
  });
  return server;
};

const mcp = createLocalMcp({
  createServer,
  env: { name: "consumer" },
  database: "sessions.db",
  logLevel: "warn",
});
const fetch = recoveringFetch({ fetch: async (input, init) => mcp.router.request(String(input), init) });
const answer = await fetch("http://localhost/mcp", {
  method: "POST",
  headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
  body: JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: {
      protocolVersion: SESSION_VERSIONS.at(-1),
      capabilities: {},
      clientInfo: { name: "c", version: "0" },
    },
  }),
});
const { result } = (await answer.json()) as { result: { serverInfo: { name: string } } };

try {
  localHost({ createServer, env: { name: "second" }, database: "sessions.db" });
} catch (error) {
  if (!(error instanceof DatabaseError) || error.problem !== "locked") throw error;
}
await mcp.close();
const { authorize } = oauthResource({ resource: "https://a.example/mcp", issuer: "https://b.example" });
createMcpRouter({ host: mcp.host, authorize });
console.log(`${result.serverInfo.name}: ok`);
