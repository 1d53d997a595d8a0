/** Mistakes of the first hour in `createServer`: told with stack and file, and none is told to try again in vain. */
import { McpServer } from "@modelcontextprotocol/server";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { describe, expect, test } from "vitest";
import type { LocalMcpOptions } from "../../src/local/index.ts";
import { modernHandler } from "../../src/modern/index.ts";
import { served } from "../local/served.ts";
import { openSession, post } from "../support/mcp.ts";
import { initialize, request } from "../support/messages.ts";

type Factory = LocalMcpOptions["createServer"];

/** What each era's first request gets, and what the operator is told of it. */
async function firstHour(createServer: Factory): Promise<{
  session: Response;
  alone: Response;
  told: { type: string; message?: string; stack?: string | undefined }[];
}> {
  const { url, events } = await served({ createServer });
  return {
    session: await post(`${url}/mcp`, initialize()),
    alone: await post(`${url}/mcp`, request("tools/list")),
    told: events.filter(({ type }) => type === "session.start_failed" || type === "request.error"),
  };
}

const undefinedUrl = (): never => (undefined as unknown as { url: never }).url;

describe.each<[what: string, createServer: Factory, says: string]>([
  ["throws for want of a value", undefinedUrl, "Cannot read properties of undefined (reading 'url')"],
  ["rejects with a fault of the code", () => Promise.reject(new ReferenceError("x is gone")), "x is gone"],
  [
    "returns nothing",
    (() => {}) as never,
    "createServer returned undefined: it must return an MCP server, with connect(transport) (forgot `return`?)",
  ],
  [
    "returns the class",
    (() => McpServer) as never,
    "createServer returned a function: it must return an MCP server, with connect(transport) (forgot `new`?)",
  ],
  ["returns {}", (() => ({})) as never, "createServer returned an object without connect: it must return"],
])("a factory that %s", (_, createServer, says) => {
  test("is told with its stack, once a request, and nobody is told to try again", async () => {
    const { session, alone, told } = await firstHour(createServer);
    for (const answer of [session, alone]) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBeNull();
      const text = await answer.text();
      expect(text).toContain("the session's server cannot be built; the log of the server says why");
      expect(text).not.toContain("try again");
    }
    expect(told.map(({ type }) => type)).toEqual(["session.start_failed", "request.error"]);
    for (const { message, stack } of told) {
      expect(message).toContain(says);
      expect(stack).toMatch(/^ +at .+\.ts:\d+:\d+/m);
    }
  });

  test("is told with its stack in 2026-07-28 too", async () => {
    const { url, events } = await served({
      createServer,
      modern: modernHandler({ createServer: createServer as never }),
    });
    const client = new Client(
      { name: "newcomer", version: "0" },
      { versionNegotiation: { mode: { pin: "2026-07-28" } } },
    );
    await expect(
      client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`))),
    ).rejects.not.toThrow("try again");
    const told = events.flatMap((event) => (event.type === "request.error" ? [event] : []));
    expect(told[0]?.message).toContain(says);
    expect(told[0]?.stack).toMatch(/^ +at .+\.ts:\d+:\d+/m);
  });
});

test("a factory that meets bad luck (a network, a database) may be asked again", async () => {
  for (const error of [new Error("no database"), new TypeError("fetch failed", { cause: "ECONNREFUSED" })]) {
    const { session, alone } = await firstHour(() => Promise.reject(error));
    expect([session.status, session.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await session.text()).toContain("try again");
    expect(await alone.json()).toMatchObject({ error: { data: { retryAfterMs: 1000 } } });
  }
});

test("one server for all sessions is told as a mistake, and not as bad luck", async () => {
  const shared = new McpServer({ name: "shared", version: "0" });
  const { url, events } = await served({ createServer: () => shared });
  await openSession(url);
  const second = await post(`${url}/mcp`, initialize());
  expect([second.status, second.headers.get("retry-after")]).toEqual([503, null]);
  const failed = events.find(({ type }) => type === "session.start_failed");
  expect(failed).toMatchObject({
    message: expect.stringContaining("it must build a new one each time") as string,
  });
});
