/**
 * A stock SDK client with our `fetch`, as the official conformance suite drives it:
 * `node conformance-client.ts <sdk> <url>`, the scenario in the environment.
 * @module
 */
import {
  Client as V2Client,
  StreamableHTTPClientTransport as V2Transport,
} from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { recoveringFetch } from "../../../src/client/index.ts";

interface Context {
  readonly toolCalls?: readonly { name: string; arguments: Record<string, unknown> }[];
}

const [, , sdk, url = ""] = process.argv;
const scenario = process.env["MCP_CONFORMANCE_SCENARIO"] ?? "";
const context = JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}") as Context;
const info = { name: "holdfast-conformance", version: "1.0.0" };
const elicitation = { form: { applyDefaults: true } };
const fetch = recoveringFetch();

/** The stateless era's scenarios; SDK v1 does not know them. */
const MODERN = new Set(["request-metadata", "http-standard-headers", "http-custom-headers"]);
const CALLS: Readonly<Record<string, NonNullable<Context["toolCalls"]>>> = {
  tools_call: [{ name: "add_numbers", arguments: { a: 5, b: 3 } }],
  "sse-retry": [{ name: "test_reconnection", arguments: {} }],
  "elicitation-sep1034-client-defaults": [{ name: "test_client_elicitation_defaults", arguments: {} }],
};
const calls = context.toolCalls ?? CALLS[scenario] ?? [];

if (sdk === "v1") {
  const client = new V1Client(info, { capabilities: { elicitation } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: {} }));
  await client.connect(new V1Transport(new URL(url), { fetch }));
  await client.listTools();
  for (const call of calls) await client.callTool(call);
  await client.close();
} else {
  const client = new V2Client(info, {
    capabilities: { elicitation, roots: {}, sampling: {} },
    versionNegotiation: { mode: MODERN.has(scenario) ? "auto" : "legacy" },
  });
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: {} }));
  client.setRequestHandler("roots/list", () => ({ roots: [] }));
  await client.connect(new V2Transport(new URL(url), { fetch }));
  const { tools } = await client.listTools();
  for (const call of calls) await client.callTool(call);
  if (scenario === "http-standard-headers") {
    for (const { name } of tools) await client.callTool({ name, arguments: {} });
    for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
    for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
  }
  await client.close();
}
