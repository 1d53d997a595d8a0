/** Clients of the official SDKs, of each major version, as they come. @module */
import {
  Client as V2Client,
  SSEClientTransport as V2SseTransport,
  StreamableHTTPClientTransport as V2Transport,
} from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as V1SseTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Client as OldClient } from "sdk-1.20/client/index.js";
import { SSEClientTransport as OldSseTransport } from "sdk-1.20/client/sse.js";
import { StreamableHTTPClientTransport as OldTransport } from "sdk-1.20/client/streamableHttp.js";
import { describe, expect, test } from "vitest";
import { openSse } from "../support/http-sse.ts";
import { type Message, numbersOf, upTo } from "../support/messages.ts";
import { loggingFetch, type Sent } from "../support/sdk-clients.ts";
import { serve, type Subject } from "../support/subject.ts";
import { eventually, within } from "../support/wait.ts";

/** A client with whatever transport, connected. */
interface Connected {
  readonly notifications: Message[];
  tools(): Promise<string[]>;
  call(
    name: string,
    args?: object,
    onprogress?: (progress: { progress: number }) => void,
  ): Promise<string | undefined>;
  close(): Promise<void>;
}

interface Sdk {
  readonly name: string;
  /** Comes back for the answer of a call whose stream was closed (SEP-1699). */
  readonly polls?: boolean;
  connect(url: string, sent?: Sent[]): Promise<Connected>;
}

const INFO = { name: "sdk", version: "0" };
const OPTIONS = { capabilities: { elicitation: {} } };

/** The user at the other end of `ask`. */
const answerQuestion = ({
  params,
}: {
  params?: { [name: string]: unknown };
}): Promise<Record<string, unknown>> =>
  Promise.resolve({ action: "accept", content: { answer: `re: ${String(params?.["message"])}` } });

const textOf = (result: unknown): string | undefined =>
  (result as { content?: { text?: string }[] }).content?.[0]?.text;

function connectedV1(client: V1Client | OldClient): Omit<Connected, "notifications"> {
  return {
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, onprogress) =>
      textOf(
        await (client as V1Client).callTool(
          { name, arguments: { ...args } },
          undefined,
          onprogress === undefined ? {} : { onprogress },
        ),
      ),
    close: () => client.close(),
  };
}

function listen(client: V1Client | OldClient | V2Client): Message[] {
  const notifications: Message[] = [];
  client.fallbackNotificationHandler = (notification: unknown) => {
    notifications.push(notification as Message);
    return Promise.resolve();
  };
  client.fallbackRequestHandler = answerQuestion;
  return notifications;
}

const v1 =
  (
    transport: (url: URL, fetch: ReturnType<typeof loggingFetch>) => V1Transport | V1SseTransport,
    path: string,
  ) =>
  async (url: string, sent: Sent[] = []): Promise<Connected> => {
    const client = new V1Client(INFO, OPTIONS);
    const notifications = listen(client);
    await client.connect(transport(new URL(url + path), loggingFetch(sent)));
    return { notifications, ...connectedV1(client) };
  };

const old =
  (
    transport: (url: URL, fetch: ReturnType<typeof loggingFetch>) => OldTransport | OldSseTransport,
    path: string,
  ) =>
  async (url: string, sent: Sent[] = []): Promise<Connected> => {
    const client = new OldClient(INFO, OPTIONS);
    const notifications = listen(client);
    await client.connect(transport(new URL(url + path), loggingFetch(sent)));
    return { notifications, ...connectedV1(client) };
  };

const v2 =
  (
    transport: (url: URL, fetch: ReturnType<typeof loggingFetch>) => V2Transport | V2SseTransport,
    path: string,
  ) =>
  async (url: string, sent: Sent[] = []): Promise<Connected> => {
    const client = new V2Client(INFO, OPTIONS);
    const notifications = listen(client);
    await client.connect(transport(new URL(url + path), loggingFetch(sent)));
    return {
      notifications,
      tools: async () => (await client.listTools()).tools.map(({ name }) => name),
      call: async (name, args = {}, onprogress) =>
        textOf(
          await client.callTool(
            { name, arguments: { ...args } },
            onprogress === undefined ? {} : { onprogress },
          ),
        ),
      close: () => client.close(),
    };
  };

const STREAMABLE: readonly Sdk[] = [
  { name: "1.20.0", connect: old((url, fetch) => new OldTransport(url, { fetch }), "/mcp") },
  { name: "1.32.2", polls: true, connect: v1((url, fetch) => new V1Transport(url, { fetch }), "/mcp") },
  { name: "2.4.0", polls: true, connect: v2((url, fetch) => new V2Transport(url, { fetch }), "/mcp") },
];
const HTTP_SSE: readonly Sdk[] = [
  { name: "1.20.0", connect: old((url, fetch) => new OldSseTransport(url, { fetch }), "/sse") },
  { name: "1.32.2", connect: v1((url, fetch) => new V1SseTransport(url, { fetch }), "/sse") },
  { name: "2.4.0", connect: v2((url, fetch) => new V2SseTransport(url, { fetch }), "/sse") },
];

export function testSdkClients(subject: Subject): void {
  describe.concurrent("SDK clients", () => {
    const server = serve(subject, { HOLDFAST_RETRY_MS: "100" });

    const transports = [
      ...STREAMABLE.map((sdk) => ({ ...sdk, transport: "Streamable HTTP" })),
      ...HTTP_SSE.map((sdk) => ({ ...sdk, transport: "HTTP+SSE" })),
    ];

    describe.each(transports)("SDK client $name over $transport (L-25)", (sdk) => {
      test("connects, lists the tools and calls one", async () => {
        const client = await sdk.connect(server.url);
        expect(await client.tools()).toEqual(expect.arrayContaining(["echo", "sleep", "ask"]));
        expect(await client.call("echo", { text: "hello" })).toBe("hello");
        await client.close();
      });

      test("gets the progress of a long call", async () => {
        const sent: Sent[] = [];
        const client = await sdk.connect(server.url, sent);
        const progress: number[] = [];
        const slept = client.call("sleep", { ms: 1000, steps: 5 }, (step) => progress.push(step.progress));
        expect(await slept).toBe("slept");
        // The SDKs drop what they read together with the answer: the last, and where this process is busy, more.
        expect(progress).toEqual(upTo(Math.max(1, progress.length)));
        const came = sent.flatMap(({ received }) => [
          ...received.matchAll(/"progress":(\d+)|"text":"slept"/g),
        ]);
        expect(came.map(([text, step]) => step ?? text)).toEqual([...upTo(5).map(String), '"text":"slept"']);
        await client.close();
      });

      test.each(["request", "standalone"])("answers a question from inside a call (%s)", async (on) => {
        const client = await sdk.connect(server.url);
        expect(await client.call("ask", { message: "who?", on })).toBe(
          '{"action":"accept","answer":"re: who?"}',
        );
        await client.close();
      });

      test("hears what belongs to no call", async () => {
        const client = await sdk.connect(server.url);
        await client.call("emit", { count: 20, on: "standalone" });
        await eventually(() => expect(numbersOf(client.notifications)).toEqual(upTo(20)));
        await client.close();
      });

      test("has many calls in flight, each with its own answer", async () => {
        const client = await sdk.connect(server.url);
        const calls = upTo(20).map((n) =>
          client.call(n % 2 ? "echo" : "sleep", n % 2 ? { text: `${n}` } : { ms: 200 }),
        );
        expect(await Promise.all(calls)).toEqual(upTo(20).map((n) => (n % 2 ? `${n}` : "slept")));
        await client.close();
      });
    });

    describe("SDK clients whose stream was ended on purpose", () => {
      test.each(STREAMABLE.filter(({ polls }) => polls))(
        "$name comes back for the answer of a call that closed its stream (SEP-1699)",
        async (sdk) => {
          const sent: Sent[] = [];
          const client = await sdk.connect(server.url, sent);
          expect(await client.call("test_reconnection")).toBe("Reconnection test completed successfully.");
          expect(sent.some(({ method, headers }) => method === "GET" && headers.has("last-event-id"))).toBe(
            true,
          );
          await client.close();
        },
      );

      test.each(HTTP_SSE)(
        "$name over HTTP+SSE reconnects to a new session, where it is answered without an initialize (A10, R-11)",
        async (sdk) => {
          const sent: Sent[] = [];
          const client = await sdk.connect(server.url, sent);
          const streams = (): Sent[] => sent.filter(({ method }) => method === "GET");
          const id = /^id: (.+)$/m.exec(streams()[0]?.received ?? "")?.[1];
          // Another connection takes the stream over, as a proxy would that had cut the first.
          const other = await openSse(server.url, { lastEventId: id });
          await eventually(() => expect(streams().at(1)?.received).toMatch(/event: endpoint/));
          // The client may have heard the new endpoint and not have gone over to it yet.
          await eventually(async () =>
            expect(await within(client.call("echo", { text: "again" }), "an answer", 1000)).toBe("again"),
          );
          const initializes = sent.filter(({ message }) => message?.method === "initialize");
          expect(initializes).toHaveLength(1);
          other.stream.leave();
          await client.close();
        },
      );
    });
  });
}
