/**
 * The SDK of the command line. It is bundled into the program, so that `npx holdfast` needs nothing
 * else, and so that who installs the package as a library installs none of it.
 * @module
 */
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { JsonObject } from "../jsonrpc/messages.ts";
import type { ToolInfo } from "./cli-report.ts";
import type { SdkClient, SdkTransports } from "./sdk.ts";

/** The version of this package. */
export const VERSION = "0.1.0";

/** What a server asks of its client's user: `elicitation/create`, in every era. */
export interface Elicitation {
  readonly mode?: "form" | "url";
  readonly message: string;
  readonly requestedSchema?: { readonly properties?: JsonObject; readonly required?: readonly string[] };
  readonly url?: string;
}

/** The user's answer. */
export interface Elicited {
  readonly action: "accept" | "decline" | "cancel";
  readonly content?: JsonObject;
}

/** What the command line uses of a client. */
export interface CliClient extends SdkClient {
  fallbackNotificationHandler?: (notification: { method: string; params?: unknown }) => Promise<void>;
  getServerVersion(): { name: string; version: string } | undefined;
  getServerCapabilities(): JsonObject | undefined;
  ping(): Promise<unknown>;
  listTools(params?: { cursor: string }): Promise<{ tools: ToolInfo[]; nextCursor?: string }>;
  callTool(...args: unknown[]): Promise<unknown>;
  /** Stateless era. */
  listen?(
    filter: object,
  ): Promise<{ close(): Promise<void>; readonly closed: Promise<"local" | "graceful" | "remote"> }>;
}

/** A client that can be asked where there is somebody to ask. */
export function newClient(elicit: ((asked: Elicitation) => Promise<Elicited>) | undefined): CliClient {
  const capabilities = elicit === undefined ? {} : { elicitation: { form: {}, url: {} } };
  const client = new Client({ name: "holdfast", version: VERSION }, { capabilities });
  if (elicit !== undefined) {
    client.setRequestHandler(
      "elicitation/create",
      async ({ params }) => (await elicit(params as unknown as Elicitation)) as never,
    );
  }
  return client as unknown as CliClient;
}

/** The transports that belong to it. */
export const TRANSPORTS = { StreamableHTTPClientTransport, SSEClientTransport } as unknown as SdkTransports;
