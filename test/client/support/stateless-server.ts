/** A server of 2026-07-28 alone, as the official SDK has it: it knows no `initialize`. @module */
import { createMcpHandler, inputRequired, McpServer } from "@modelcontextprotocol/server";
import { serveHttp } from "./http-server.ts";

/** `hello` greets; `name` asks its caller for a name first. */
export async function startStateless(): Promise<{ url: string; close(): Promise<void> }> {
  const { fetch } = createMcpHandler(
    () => {
      const server = new McpServer({ name: "stateless", version: "1" });
      server.registerTool("hello", {}, () => ({ content: [{ type: "text", text: "hello" }] }));
      server.registerTool("name", {}, (ctx) => {
        const given = ctx.mcpReq.inputResponses?.["who"] as { content?: { name?: string } } | undefined;
        if (given !== undefined)
          return { content: [{ type: "text", text: `hello ${String(given.content?.name)}` }] };
        return inputRequired({
          inputRequests: {
            who: inputRequired.elicit({
              message: "Who are you?",
              requestedSchema: {
                type: "object",
                properties: { name: { type: "string" } },
                required: ["name"],
              },
            }),
          },
        });
      });
      return server;
    },
    { legacy: "reject" },
  );
  const { url, stop } = await serveHttp(fetch);
  return { url: `${url}/mcp`, close: stop };
}
