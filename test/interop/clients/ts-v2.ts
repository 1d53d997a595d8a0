/** The TypeScript client 2.x. Arguments: `auto`, or `legacy` for the session eras. @module */
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { blue, heard, LIMIT_MS, run, textOf } from "./loop.ts";

const client = new Client(
  { name: "interop", version: "1" },
  {
    capabilities: { elicitation: { form: {} } },
    ...(process.argv[2] === "auto" && { versionNegotiation: { mode: "auto" } }),
  },
);
client.setRequestHandler("elicitation/create", blue);
client.setNotificationHandler("notifications/message", heard.log);

run({
  async connect(url, kind) {
    await client.connect(
      kind === "sse" ? new SSEClientTransport(new URL(url)) : new StreamableHTTPClientTransport(new URL(url)),
    );
    return client.getNegotiatedProtocolVersion();
  },
  list: async () => (await client.listTools()).tools.length,
  call: async (name, args, progress) =>
    textOf(
      await client.callTool(
        { name, arguments: args },
        { timeout: LIMIT_MS, ...(progress && { onprogress: heard.progress }) },
      ),
    ),
  close: () => client.close(),
});
