/** The TypeScript SDK 1.x. Arguments: the package's name as this project installs it. @module */
import type * as index from "@modelcontextprotocol/sdk/client/index.js";
import type * as sse from "@modelcontextprotocol/sdk/client/sse.js";
import type * as streamable from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type * as types from "@modelcontextprotocol/sdk/types.js";
import { blue, heard, LIMIT_MS, run, textOf } from "./loop.ts";

/** Two versions with one shape: the older one is imported with the types of the newer. */
type Sdk = typeof index & typeof sse & typeof streamable & typeof types;

const [, , name = "@modelcontextprotocol/sdk"] = process.argv;
const modules = ["client/index.js", "client/streamableHttp.js", "client/sse.js", "types.js"];
const sdk: Sdk = Object.assign(
  {},
  ...(await Promise.all(modules.map((path) => import(`${name}/${path}`) as Promise<object>))),
);

const client = new sdk.Client({ name: "interop", version: "1" }, { capabilities: { elicitation: {} } });
client.setRequestHandler(sdk.ElicitRequestSchema, blue);
client.setNotificationHandler(sdk.LoggingMessageNotificationSchema, heard.log);

run({
  async connect(url, kind) {
    const transport =
      kind === "sse"
        ? new sdk.SSEClientTransport(new URL(url))
        : new sdk.StreamableHTTPClientTransport(new URL(url));
    await client.connect(transport);
    return "protocolVersion" in transport ? transport.protocolVersion : undefined;
  },
  list: async () => (await client.listTools()).tools.length,
  call: async (tool, args, progress) =>
    textOf(
      await client.callTool({ name: tool, arguments: args }, undefined, {
        timeout: LIMIT_MS,
        ...(progress && { onprogress: heard.progress }),
      }),
    ),
  close: () => client.close(),
});
