/** A server of which different versions are deployed, one after another. @module */
import { McpServer } from "@modelcontextprotocol/server";

/** What a deploy may change. */
export interface Deployed {
  readonly version?: string;
  readonly instructions?: string | undefined;
  /** Promises to keep subscriptions; no handler is set. */
  readonly subscribe?: boolean;
}

export function createDeployedServer({
  version = "1",
  instructions,
  subscribe = true,
}: Deployed = {}): McpServer {
  const server = new McpServer(
    { name: "deployed", version },
    { capabilities: { tools: {}, resources: { subscribe } }, ...(instructions && { instructions }) },
  );
  server.registerTool("version", {}, () => ({ content: [{ type: "text", text: version }] }));
  server.registerResource("r", "test://r", {}, () => ({ contents: [] }));
  return server;
}
