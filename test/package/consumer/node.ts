import { createLocalMcp, serve } from "holdfast/node";
import { McpServer } from "@modelcontextprotocol/server";

const mcp = createLocalMcp({ createServer: () => new McpServer({ name: "mine", version: "1.0.0" }) });
const server = await serve({ fetch: mcp.router.fetch, port: 0, onClose: mcp.close });
console.log((await fetch(`${server.url}/health`)).status);
await server.close();
