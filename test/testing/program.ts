/** Three lines of `holdfast/testing`, as a program: prints what came of it. @module */
import { Client } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import type { ServerContext } from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";

const server = testServer({
  createServer: ({ session }: ServerContext) => {
    const mcp = new McpServer({ name: "counter", version: "1.0.0" });
    mcp.registerTool("count", {}, () => {
      const count = (session?.state.get<number>("count") ?? 0) + 1;
      session?.state.set("count", count);
      return { content: [{ type: "text", text: String(count) }] };
    });
    return mcp;
  },
});
const client = await server.connect(new Client({ name: "test", version: "1" }));
const counts: unknown[] = [];
const count = async (): Promise<void> =>
  void counts.push((await client.callTool({ name: "count", arguments: {} })).content);
await count();
await server.restart();
await count();
await server.restart("close");
await count();
await server.advance(7_200_000);
await count();
await server.close();
console.log(JSON.stringify(counts.flat().map((part) => (part as { text: string }).text)));
