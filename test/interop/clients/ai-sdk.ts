/** The MCP client of Vercel's AI SDK. Arguments: `auto`, or `legacy` for the session eras. @module */
import { pathToFileURL } from "node:url";
import { blue, clientsRequire, LIMIT_MS, run, textOf } from "./loop.ts";

interface AiSdkClient {
  readonly initializeResult: { protocolVersion: string };
  onElicitationRequest(schema: unknown, handler: () => unknown): void;
  listTools(): Promise<{ tools: unknown[] }>;
  callTool(request: {
    name: string;
    arguments: Record<string, unknown>;
    options: { timeout: number };
  }): Promise<unknown>;
  close(): Promise<void>;
}

const { createMCPClient, ElicitationRequestSchema } = (await import(
  pathToFileURL(clientsRequire.resolve("@ai-sdk/mcp")).href
)) as {
  createMCPClient(options: Record<string, unknown>): Promise<AiSdkClient>;
  ElicitationRequestSchema: unknown;
};

let client: AiSdkClient | undefined;
function connected(): AiSdkClient {
  if (client === undefined) throw new Error("not connected");
  return client;
}

run({
  async connect(url, kind) {
    client = await createMCPClient({
      transport: { type: kind, url },
      protocolVersionDiscovery: process.argv[2] !== "legacy",
      capabilities: { elicitation: { form: {} } },
      onUncaughtError: (error: unknown) => console.error("uncaught", error),
    });
    client.onElicitationRequest(ElicitationRequestSchema, blue);
    return client.initializeResult.protocolVersion;
  },
  list: async () => (await connected().listTools()).tools.length,
  call: async (name, args) =>
    textOf(await connected().callTool({ name, arguments: args, options: { timeout: LIMIT_MS } })),
  close: () => connected().close(),
});
