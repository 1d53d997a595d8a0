/**
 * Opens as many sessions as the first argument says, 16 at a time, in the file that the second names; prints the
 * statuses. Each server holds as many MB as the third says.
 */
import process from "node:process";
import { createLocalMcp } from "../../../src/local/index.ts";
import type { CreateServer } from "../../../src/session/server/factory.ts";
import { initialize } from "../../support/messages.ts";
import { createTestServer } from "../../support/test-server.ts";

const [, , count = "0", database = "", megabytes = "0"] = process.argv;
const createServer: CreateServer = (context) => {
  const server = createTestServer(context);
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
