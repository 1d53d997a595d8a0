/**
 * Clients of the official SDKs behind one face, each with a log of what it sent over HTTP.
 * @module
 */
import {
  Client as V2Client,
  StreamableHTTPClientTransport as V2Transport,
} from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Client as OldClient } from "sdk-1.20/client/index.js";
import { StreamableHTTPClientTransport as OldTransport } from "sdk-1.20/client/streamableHttp.js";
import type { Message } from "./messages.ts";
import { unpooledFetch } from "./unpooled-fetch.ts";

/** One HTTP request of a client and what became of it. */
export interface Sent {
  readonly method: string;
  readonly headers: Headers;
  /** The JSON-RPC message of a POST. */
  readonly message: Message | undefined;
  /** 0 until it is answered; stays 0 where the connection failed. */
  status: number;
  /** What has been read of the answer's body. */
  received: string;
}

export interface SdkClient {
  readonly sessionId: string | undefined;
  /** What it sent, in order; tests cut it off to look at what comes next. */
  readonly sent: Sent[];
  /** Notifications from the server, in order. */
  readonly notifications: Message[];
  /** Calls a tool and returns its text. */
  call(name: string, args?: Record<string, unknown>): Promise<string | undefined>;
  toolNames(): Promise<string[]>;
  setLevel(level: "debug" | "error"): Promise<unknown>;
  subscribe(uri: string): Promise<unknown>;
  close(): Promise<void>;
}

export interface ConnectOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Without a standalone stream: its GET is answered 405, as by servers that have none. */
  readonly withoutStream?: boolean;
  /** The client's own settings for reconnecting; the SDK's where not given. */
  readonly patient?: boolean;
}

export interface Sdk {
  readonly name: string;
  /** Resumes the stream of a POST that was cut off. */
  readonly resumesCalls: boolean;
  /** Goes on with the session id that a 404 names. */
  readonly adopts: boolean;
  connect(url: string, options?: ConnectOptions): Promise<SdkClient>;
}

const info = { name: "restart-test", version: "1.2.3" };
/** Declared, and answered by {@link answerQuestion}. */
const capabilities = { elicitation: {} };
/** Tries again until the server is back, however busy the machine. */
const PATIENT = {
  initialReconnectionDelay: 100,
  maxReconnectionDelay: 500,
  reconnectionDelayGrowFactor: 1.5,
  maxRetries: 100,
};

/** What the three Client classes have in common. */
interface ClientLike {
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  listTools(): Promise<{ tools: { name: string }[] }>;
  setLoggingLevel(level: "debug" | "error"): Promise<unknown>;
  subscribeResource(params: { uri: string }): Promise<unknown>;
  close(): Promise<void>;
}

type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>;

interface Parts {
  readonly client: ClientLike;
  readonly sessionId: () => string | undefined;
}

interface Wiring {
  readonly fetch: Fetch;
  readonly reconnectionOptions?: typeof PATIENT;
  readonly onNotification: (notification: unknown) => Promise<void>;
}

export const SDKS: readonly Sdk[] = [
  sdk("1.20.0", { resumesCalls: false, adopts: true }, async (url, wiring) => {
    const client = new OldClient(info, { capabilities });
    client.fallbackNotificationHandler = wiring.onNotification;
    client.fallbackRequestHandler = answerQuestion;
    const transport = new OldTransport(url, wiring);
    await client.connect(transport);
    return { client, sessionId: () => transport.sessionId };
  }),
  sdk("1.32.2", { resumesCalls: true, adopts: true }, async (url, wiring) => {
    const client = new V1Client(info, { capabilities });
    client.fallbackNotificationHandler = wiring.onNotification;
    client.fallbackRequestHandler = answerQuestion;
    const transport = new V1Transport(url, wiring);
    await client.connect(transport);
    return { client, sessionId: () => transport.sessionId };
  }),
  sdk("2.4.0", { resumesCalls: true, adopts: false }, async (url, wiring) => {
    const client = new V2Client(info, { capabilities });
    client.fallbackNotificationHandler = wiring.onNotification;
    client.fallbackRequestHandler = answerQuestion;
    const transport = new V2Transport(url, wiring);
    await client.connect(transport);
    return { client, sessionId: () => transport.sessionId };
  }),
];

function sdk(
  name: string,
  traits: Pick<Sdk, "resumesCalls" | "adopts">,
  build: (url: URL, wiring: Wiring) => Promise<Parts>,
): Sdk {
  return {
    name,
    ...traits,
    async connect(url, { headers = {}, withoutStream = false, patient = true } = {}) {
      const sent: Sent[] = [];
      const notifications: Message[] = [];
      const { client, sessionId } = await build(new URL(`${url}/mcp`), {
        fetch: loggingFetch(sent, headers, withoutStream),
        ...(patient ? { reconnectionOptions: PATIENT } : {}),
        onNotification: (notification) => {
          notifications.push(notification as Message);
          return Promise.resolve();
        },
      });
      return {
        get sessionId() {
          return sessionId();
        },
        sent,
        notifications,
        async call(tool, args = {}) {
          const result = await client.callTool({ name: tool, arguments: args });
          return (result as { content?: { text?: string }[] }).content?.[0]?.text;
        },
        toolNames: async () => (await client.listTools()).tools.map((tool) => tool.name),
        setLevel: (level) => client.setLoggingLevel(level),
        subscribe: (uri) => client.subscribeResource({ uri }),
        close: () => client.close(),
      };
    },
  };
}

/** An unpooled `fetch` that logs. */
export function loggingFetch(
  sent: Sent[],
  more: Readonly<Record<string, string>> = {},
  withoutStream = false,
): Fetch {
  return async (input, init = {}) => {
    const headers = new Headers(init.headers);
    for (const [name, value] of Object.entries(more)) headers.set(name, value);
    const { method = "GET", body } = init;
    const message = typeof body === "string" ? (JSON.parse(body) as Message) : undefined;
    const entry: Sent = { method, headers, message, status: 0, received: "" };
    sent.push(entry);
    const response =
      withoutStream && method === "GET"
        ? new Response(null, { status: 405 })
        : await unpooledFetch(input, { ...init, headers });
    entry.status = response.status;
    return listening(response, (text) => (entry.received += text));
  };
}

/** The same response; its text is heard as it is read. */
function listening(response: Response, hear: (text: string) => void): Response {
  const decoder = new TextDecoder();
  const body = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        hear(decoder.decode(chunk, { stream: true }));
        controller.enqueue(chunk);
      },
    }),
  );
  return new Response(body ?? null, response);
}

/** The user at the other end of `ask`. */
function answerQuestion(request: { method: string; params?: { [name: string]: unknown } }): Promise<{
  action: "accept";
  content: { answer: string };
}> {
  const { method, params } = request;
  if (method !== "elicitation/create") return Promise.reject(new Error(`unexpected ${method}`));
  return Promise.resolve({ action: "accept", content: { answer: `re: ${String(params?.["message"])}` } });
}
