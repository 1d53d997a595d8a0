/** Connecting chooses the newest era that the server, the client and the caller allow. */
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { cleanups, cleanUp, closing } from "./support/cleanup.ts";
import { type Connecting, prepareConnect, retry } from "./support/connecting.ts";
import { serveHttp } from "./support/http-server.ts";
import { logRequests } from "./support/requests.ts";
import { type PlainClient, SDK_PARTS, textOf } from "./support/sdk-parts.ts";
import { sdkSessionServer } from "./support/sdk-session-server.ts";
import { startSpecServer } from "./support/spec-server.ts";
import { startSseServer } from "./support/sse-server.ts";

afterEach(cleanUp);

describe.each(SDK_PARTS)("with $name", (parts) => {
  const { knowsModern } = parts;
  let client: PlainClient;
  let heard: string[];
  let open: Connecting["open"];
  beforeEach(() => {
    ({ client, heard, open } = prepareConnect(parts));
  });

  describe("chooses", () => {
    test("sessions, where the server has them", async () => {
      const server = closing(await sdkSessionServer.start());
      const connection = closing(await open(server.url));
      expect(connection.era).toBe("session");
      expect(connection.protocolVersion).toMatch(/^2025-/);
      expect(connection.sessionId).toMatch(/^[0-9a-f-]{36}$/);
      expect(connection.url).toBe(server.url);
      expect(textOf(await client.callTool({ name: "echo", arguments: { text: "hi" } }))).toBe("hi");
    });

    test("the stateless era first, where client and server know it", async () => {
      const mcp = createMcpHandler(() => {
        const server = new McpServer({ name: "modern", version: "1" });
        server.registerTool("echo", {}, () => ({ content: [{ type: "text", text: "modern" }] }));
        return server;
      });
      const http = await serveHttp((request) => mcp.fetch(request));
      cleanups.push(() => http.stop());
      const connection = closing(await open(http.url));
      expect(connection.era).toBe(knowsModern ? "modern" : "session");
      expect(connection.protocolVersion).toMatch(knowsModern ? "2026-07-28" : /^2025-/);
      expect(connection.sessionId).toBeUndefined();
      expect(textOf(await client.callTool({ name: "echo" }))).toBe("modern");
    });

    test("HTTP+SSE, where there is nothing else", async () => {
      const server = await startSseServer();
      cleanups.push(() => server.stop());
      const connection = closing(await open(server.url));
      expect(connection.era).toBe("legacy");
      expect(connection.protocolVersion).toMatch(/^202/);
      expect(server.opened).toBe(1);
      expect(textOf(await client.callTool({ name: "echo", arguments: { text: "old" } }))).toBe("old");
      expect(heard).toEqual([]);
    });

    test("only among the eras that are allowed", async () => {
      const old = await startSseServer();
      cleanups.push(() => old.stop());
      await expect(open(old.url, { eras: ["session"] })).rejects.toMatchObject({
        reason: "http",
        status: 405,
      });
      expect(old.opened).toBe(0);
      const requests = logRequests();
      const server = closing(await sdkSessionServer.start());
      closing(await open(server.url, { eras: ["session"], fetch: requests.fetch }));
      expect(requests.count("server/discover")).toBe(0);
    });

    test("the transports of the installed package, where none are given", async () => {
      const server = closing(await startSpecServer());
      const connection = closing(await connect(server.url, { client, retry, fetch: unpooledFetch }));
      expect(connection.era).toBe("session");
    });
  });
});
