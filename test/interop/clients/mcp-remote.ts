/** mcp-remote: a bridge from stdio to HTTP, driven by the TypeScript client 2.x. @module */
import { dirname, join } from "node:path";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { blue, clientsRequire, heard, LIMIT_MS, run, textOf } from "./loop.ts";

const bridge = join(dirname(clientsRequire.resolve("mcp-remote/package.json")), "dist/proxy.js");
const client = new Client({ name: "interop", version: "1" }, { capabilities: { elicitation: { form: {} } } });
client.setRequestHandler("elicitation/create", blue);
client.setNotificationHandler("notifications/message", heard.log);

run({
  async connect(url, kind) {
    const args = [bridge, url, "--allow-http", "--transport", kind === "sse" ? "sse-only" : "http-only"];
    const env = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? ""]));
    await client.connect(
      new StdioClientTransport({ command: process.execPath, args, env, stderr: "inherit" }),
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
