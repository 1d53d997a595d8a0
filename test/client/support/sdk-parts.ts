/** The classes of each SDK, as an application hands them to `connect`. @module */
import {
  Client as V2Client,
  SSEClientTransport as V2Sse,
  StreamableHTTPClientTransport as V2Streamable,
} from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as V1Sse } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport as V1Streamable } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Client as OldClient } from "sdk-1.20/client/index.js";
import { SSEClientTransport as OldSse } from "sdk-1.20/client/sse.js";
import { StreamableHTTPClientTransport as OldStreamable } from "sdk-1.20/client/streamableHttp.js";
import type { SdkClient, SdkTransports } from "../../../src/client/index.ts";

/** What the tests use of a client. */
export interface PlainClient extends SdkClient {
  callTool(params: { name: string; arguments?: Record<string, unknown> }): Promise<unknown>;
  listTools(): Promise<{ tools: { name: string }[] }>;
}

export interface SdkParts {
  readonly name: string;
  readonly knowsModern: boolean;
  create(): PlainClient;
  readonly transports: SdkTransports;
}

const info = { name: "connect-test", version: "1" };

export const SDK_PARTS: readonly SdkParts[] = [
  {
    name: "SDK 1.20.0",
    knowsModern: false,
    create: () => new OldClient(info),
    transports: { StreamableHTTPClientTransport: OldStreamable, SSEClientTransport: OldSse },
  },
  {
    name: "SDK 1.32.2",
    knowsModern: false,
    create: () => new V1Client(info),
    transports: { StreamableHTTPClientTransport: V1Streamable, SSEClientTransport: V1Sse },
  },
  {
    name: "client 2.4.0",
    knowsModern: true,
    create: () => new V2Client(info),
    transports: { StreamableHTTPClientTransport: V2Streamable, SSEClientTransport: V2Sse },
  },
];

/** The text of a tool's result. */
export function textOf(result: unknown): string | undefined {
  return (result as { content?: { text?: string }[] }).content?.[0]?.text;
}
