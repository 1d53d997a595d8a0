/** Clients of the official SDKs that take a `fetch`, behind one face. @module */
import {
  Client as V2Client,
  StreamableHTTPClientTransport as V2Transport,
} from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Client as OldClient } from "sdk-1.20/client/index.js";
import { StreamableHTTPClientTransport as OldTransport } from "sdk-1.20/client/streamableHttp.js";
import type { Message } from "../../support/messages.ts";
import type { FetchLike } from "../../../src/client/index.ts";

export interface TestClient {
  readonly sessionId: string | undefined;
  /** Notifications from the server, in order. */
  readonly notifications: Message[];
  /** What the SDK reported to `onerror`. */
  readonly errors: Error[];
  /** Answers to elicitations; set by tests that want to take their time. */
  answer(question: string): Promise<string>;
  call(name: string, args?: Record<string, unknown>): Promise<string | undefined>;
  setLevel(level: "debug" | "error"): Promise<unknown>;
  subscribe(uri: string): Promise<unknown>;
  /** Sends DELETE. */
  terminate(): Promise<void>;
  close(): Promise<void>;
}

export interface Sdk {
  readonly name: string;
  connect(url: string, fetch: FetchLike): Promise<TestClient>;
}

const info = { name: "client-test", version: "1" };
const capabilities = { elicitation: {} };

interface ClientLike {
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  setLoggingLevel(level: "debug" | "error"): Promise<unknown>;
  subscribeResource(params: { uri: string }): Promise<unknown>;
  close(): Promise<void>;
}
interface TransportLike {
  readonly sessionId: string | undefined;
  terminateSession(): Promise<void>;
}

export const SDKS: readonly Sdk[] = [
  sdk("SDK 1.20.0", (url, fetch) => {
    const client = new OldClient(info, { capabilities });
    const transport = new OldTransport(url, { fetch });
    return { client, transport, connect: () => client.connect(transport) };
  }),
  sdk("SDK 1.32.2", (url, fetch) => {
    const client = new V1Client(info, { capabilities });
    const transport = new V1Transport(url, { fetch });
    return { client, transport, connect: () => client.connect(transport) };
  }),
  sdk("client 2.4.0", (url, fetch) => {
    const client = new V2Client(info, { capabilities });
    const transport = new V2Transport(url, { fetch });
    return { client, transport, connect: () => client.connect(transport) };
  }),
];

function sdk(
  name: string,
  build: (
    url: URL,
    fetch: FetchLike,
  ) => { client: ClientLike; transport: TransportLike; connect: () => Promise<void> },
): Sdk {
  return {
    name,
    async connect(url, fetch) {
      const notifications: Message[] = [];
      const errors: Error[] = [];
      const { client, transport, connect } = build(new URL(url), fetch);
      const face: TestClient = {
        get sessionId() {
          return transport.sessionId;
        },
        notifications,
        errors,
        answer: (question) => Promise.resolve(`re: ${question}`),
        async call(tool, args = {}) {
          const result = await client.callTool({ name: tool, arguments: args });
          return (result as { content?: { text?: string }[] }).content?.[0]?.text;
        },
        setLevel: (level) => client.setLoggingLevel(level),
        subscribe: (uri) => client.subscribeResource({ uri }),
        terminate: () => transport.terminateSession(),
        close: () => client.close(),
      };
      // Each SDK types these in its own way.
      Object.assign(client, {
        onerror: (error: Error) => void errors.push(error),
        fallbackNotificationHandler: (notification: Message) => {
          notifications.push(notification);
          return Promise.resolve();
        },
        fallbackRequestHandler: async ({ params }: { params: { message: string } }) => {
          return { action: "accept", content: { answer: await face.answer(params.message) } };
        },
      });
      await connect();
      return face;
    },
  };
}
