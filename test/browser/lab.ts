/** What runs inside the page: official clients, the browser's own EventSource, and plain fetch, under `lab`. @module */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { recoveringFetch } from "../../src/client/index.ts";

/** What a page can see of an answer. */
interface Seen {
  status: number;
  session: string | null;
  body: string;
}

/** A request as it crosses into the page. */
export interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  mode?: "no-cors";
}

interface Connected {
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
}

const INFO = { name: "page", version: "0" };
const MODERN = "2026-07-28";

function createLab() {
  let connected: Connected | undefined;
  let source: EventSource | undefined;
  const now = (): Connected => {
    if (connected === undefined) throw new Error("not connected");
    return connected;
  };

  return {
    /** Types of what the recovering fetch reported. */
    recoveries: [] as string[],
    /** The `n` of each numbered log message. */
    numbers: [] as number[],
    /** URIs of resources that changed. */
    updated: [] as string[],
    /** What the EventSource heard. */
    opened: 0,
    endpoints: [] as string[],
    messages: [] as string[],

    async connect(url: string, era: "session" | "modern"): Promise<string | undefined> {
      const modern = { versionNegotiation: { mode: { pin: MODERN } } } as const;
      const client = new Client(INFO, era === "modern" ? modern : {});
      client.setNotificationHandler("notifications/message", ({ params }) => {
        this.numbers.push((params.data as { n: number }).n);
      });
      client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
        this.updated.push(params.uri);
      });
      const fetch = recoveringFetch({
        retry: { initialDelayMs: 50 },
        onEvent: ({ type }) => this.recoveries.push(type),
      });
      const transport = new StreamableHTTPClientTransport(new URL(url), { fetch });
      connected = { client, transport };
      await client.connect(transport);
      return client.getNegotiatedProtocolVersion();
    },
    session: () => now().transport.sessionId,
    tools: async () => (await now().client.listTools()).tools.map(({ name }) => name),
    async call(name: string, args: Record<string, unknown> = {}): Promise<unknown> {
      const { content } = await now().client.callTool({ name, arguments: args });
      return content;
    },
    listen: async (uri: string) => void (await now().client.listen({ resourceSubscriptions: [uri] })),
    close: () => now().client.close(),

    /** What a script sees of an answer; the error's name where the browser lets it see none. */
    async ask(url: string, init: Asked): Promise<Seen | string> {
      try {
        const response = await fetch(url, init);
        const session = response.headers.get("Mcp-Session-Id");
        return { status: response.status, session, body: await response.text() };
      } catch (error) {
        return (error as Error).name;
      }
    },

    /** Opens an EventSource; settles with its state once it is open or has given up. */
    listenToEvents(url: string): Promise<number> {
      const opening = new EventSource(url);
      source = opening;
      opening.addEventListener("endpoint", ({ data }) => {
        this.endpoints.push(new URL(data as string, url).href);
      });
      opening.addEventListener("message", ({ data }) => this.messages.push(data as string));
      opening.addEventListener("open", () => (this.opened += 1));
      return new Promise((resolve) => {
        for (const type of ["open", "error"]) {
          opening.addEventListener(type, () => resolve(opening.readyState), { once: true });
        }
      });
    },
    stopEvents: () => source?.close(),
  };
}

export type Lab = ReturnType<typeof createLab>;

declare global {
  var lab: Lab;
}
globalThis.lab = createLab();
