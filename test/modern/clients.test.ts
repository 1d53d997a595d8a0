/** Official clients of every revision on one URL: each connects, lists, calls, and hears of a change. */
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { describe, expect, test } from "vitest";
import { hosts } from "../support/hosts.ts";
import { call, MODERN } from "../support/modern.ts";
import { serve } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

const info = { name: "eras", version: "0" };

interface Pinned {
  readonly version: string;
  tools(): Promise<string[]>;
  echo(text: string): Promise<unknown>;
  /** Subscribes in the way of its era. */
  subscribe(uri: string, onUpdated: (uri: string) => void): Promise<unknown>;
  close(): Promise<void>;
}

type Options = ConstructorParameters<typeof Client>[1];

async function v2(url: string, options: Options, transport?: "sse"): Promise<Pinned> {
  const client = new Client(info, options);
  await client.connect(
    transport === "sse"
      ? new SSEClientTransport(new URL(`${url}/sse`))
      : new StreamableHTTPClientTransport(new URL(`${url}/mcp`)),
  );
  const version = client.getNegotiatedProtocolVersion() ?? "";
  return {
    version,
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    echo: async (text) => (await client.callTool({ name: "echo", arguments: { text } })).content,
    subscribe(uri, onUpdated) {
      client.setNotificationHandler("notifications/resources/updated", ({ params }) => onUpdated(params.uri));
      return version === MODERN
        ? client.listen({ resourceSubscriptions: [uri] })
        : client.subscribeResource({ uri });
    },
    close: () => client.close(),
  };
}

async function v1(url: string): Promise<Pinned> {
  const client = new V1Client(info);
  const transport = new V1Transport(new URL(`${url}/mcp`));
  await client.connect(transport);
  return {
    version: transport.protocolVersion ?? "",
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    echo: async (text) => (await client.callTool({ name: "echo", arguments: { text } }))["content"],
    subscribe(uri, onUpdated) {
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => onUpdated(params.uri));
      return client.subscribeResource({ uri });
    },
    close: () => client.close(),
  };
}

const pinnedTo = (version: string): Options => ({ supportedProtocolVersions: [version] });

const CLIENTS: readonly { name: string; version: string; connect: (url: string) => Promise<Pinned> }[] = [
  ...["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"].map((version) => ({
    name: `pinned to ${version}`,
    version,
    connect: (url: string) => v2(url, pinnedTo(version)),
  })),
  {
    name: "of 2024-11-05 over HTTP+SSE",
    version: "2024-11-05",
    connect: (url) => v2(url, pinnedTo("2024-11-05"), "sse"),
  },
  {
    name: `pinned to ${MODERN}`,
    version: MODERN,
    connect: (url) => v2(url, { versionNegotiation: { mode: { pin: MODERN } } }),
  },
  {
    name: "that negotiates by itself",
    version: MODERN,
    connect: (url) => v2(url, { versionNegotiation: { mode: "auto" } }),
  },
  { name: "of SDK v1", version: "2025-11-25", connect: v1 },
];

describe.each(hosts)("on $name", (host) => {
  const server = serve(host);
  const sessionsOnly = serve(host, { TEST_MODERN: "off" });

  test.each(CLIENTS)("a client $name connects, lists and calls", async ({ connect, version }) => {
    const client = await connect(server.url);
    expect(client.version).toBe(version);
    expect(await client.tools()).toContain("echo");
    expect(await client.echo(version)).toEqual([{ type: "text", text: version }]);
    await client.close();
  });

  test("a client that negotiates gets a session where only sessions are served", async () => {
    const client = await v2(sessionsOnly.url, { versionNegotiation: { mode: "auto" } });
    expect(client.version).toBe("2025-11-25");
    expect(await client.echo("there")).toEqual([{ type: "text", text: "there" }]);
    await client.close();
  });

  test("one change reaches the clients of all eras", async () => {
    const uri = "test://eras";
    const heard: string[] = [];
    const clients = await Promise.all(
      CLIENTS.map(async ({ name, connect }) => {
        const client = await connect(server.url);
        await client.subscribe(uri, () => heard.push(name));
        return client;
      }),
    );
    expect(await call(server.url, "touch", { uri })).toBe("announced");
    const everyone = CLIENTS.map(({ name }) => name).toSorted();
    await eventually(() => expect(heard.toSorted()).toEqual(everyone));
    await Promise.all(clients.map((client) => client.close()));
    // Once each.
    expect(heard.toSorted()).toEqual(everyone);
  });
});
