/**
 * The SDK for the command line: whichever major version is installed, the newer one first.
 * @module
 */
import type { JsonObject } from "../jsonrpc/messages.ts";
import type { ToolInfo } from "./cli-report.ts";
import { loadModule, type SdkClient, type SdkTransports } from "./sdk.ts";

/** What the command line uses of a client, in the forms that SDK v1 and v2 share. */
export interface CliClient extends SdkClient {
  fallbackNotificationHandler?: (notification: { method: string; params?: unknown }) => Promise<void>;
  getServerVersion(): { name: string; version: string } | undefined;
  getServerCapabilities(): JsonObject | undefined;
  ping(): Promise<unknown>;
  listTools(params?: { cursor: string }): Promise<{ tools: ToolInfo[]; nextCursor?: string }>;
  callTool(...args: unknown[]): Promise<unknown>;
  /** SDK v2, stateless era. */
  listen?(
    filter: object,
  ): Promise<{ close(): Promise<void>; readonly closed: Promise<"local" | "graceful" | "remote"> }>;
}

type ClientClass = new (info: { name: string; version: string }) => CliClient;

const PACKAGES = [
  ["@modelcontextprotocol/client"],
  [
    "@modelcontextprotocol/sdk/client/index.js",
    "@modelcontextprotocol/sdk/client/streamableHttp.js",
    "@modelcontextprotocol/sdk/client/sse.js",
  ],
];

/** @throws {TypeError} where no SDK is installed */
export async function loadSdk(): Promise<{ client: CliClient; transports: SdkTransports }> {
  for (const names of PACKAGES) {
    const modules = await Promise.all(names.map(loadModule)).catch(() => undefined);
    if (modules === undefined) continue;
    const { Client, ...transports } = Object.assign({}, ...modules) as SdkTransports & {
      Client: ClientClass;
    };
    return { client: new Client({ name: "holdfast", version: "1.0.0" }), transports };
  }
  throw new TypeError(
    "the MCP SDK is not installed: npx -p holdfast -p @modelcontextprotocol/client holdfast connect <url>",
  );
}
