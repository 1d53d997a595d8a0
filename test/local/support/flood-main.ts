/**
 * Opens as many sessions as the first argument says, 16 at a time, in the file that the second names; prints the
 * statuses. Each has a server of one tool, which holds as many MB as the third says.
 */
import process from "node:process";
import { McpServer } from "@modelcontextprotocol/server";
import { createLocalMcp } from "../../../src/local/index.ts";
import { initialize } from "../../support/messages.ts";
import { text } from "../../../worker/example/reply.ts";

const [, , count = "0", database = "", megabytes = "0"] = process.argv;
const createServer = (): McpServer => {
  const server = new McpServer({ name: "flood", version: "0" });
  server.registerTool("hello", {}, () => text("hello"));
  return Object.assign(server, { more: Array.from({ length: Number(megabytes) * 131_072 }, () => 0) });
};
const mcp = createLocalMcp({ createServer, database, onEvent() {} });
const statuses: Record<number, number> = {};
let left = Number(count);

async function client(): Promise<void> {
  while (left-- > 0) {
    const response = await mcp.router.request("/mcp", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
      body: JSON.stringify(initialize()),
    });
    await response.text();
    statuses[response.status] = (statuses[response.status] ?? 0) + 1;
    // As a server reads its sockets: between the turns.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

await Promise.all(Array.from({ length: 16 }, client));
console.log(JSON.stringify({ statuses, inMemory: mcp.host.inMemory }));
await mcp.close();
