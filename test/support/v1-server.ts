/** A server of SDK v1 that shows what its tools are told of the request. @module */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";

export function createV1Server(): McpServer {
  const server = new McpServer({ name: "v1", version: "0" });
  server.registerTool("request", { description: "The request as the tool sees it" }, ({ requestInfo }) => {
    const header = requestInfo?.headers["x-tag"];
    const url = requestInfo?.url?.href;
    return {
      content: [{ type: "text", text: JSON.stringify({ header, url, printed: requestInfo }) }],
    };
  });
  return server;
}
