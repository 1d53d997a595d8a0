/** The router in the wrong place, or given the wrong thing: named, and never silence. */
import { createServer as createHttpServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { McpServer } from "@modelcontextprotocol/server";
import { Hono } from "hono";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLocalMcp, type LocalMcp } from "../../src/local/index.ts";
import { serve } from "../../src/local/node.ts";
import { post } from "../support/mcp.ts";
import { initialize } from "../support/messages.ts";

const createServer = (): McpServer => new McpServer({ name: "newcomer", version: "0" });
const build = (options: object = {}): LocalMcp =>
  createLocalMcp({ createServer, logLevel: "silent", ...options });

let mcp: LocalMcp;
beforeEach(() => void (mcp = build()));
afterEach(() => mcp.close());

/** Through the app, as an MCP client that was told this path. */
const opened = (app: Hono, path: string, headers: object = {}): Response | Promise<Response> =>
  app.request(path, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/json, text/event-stream",
      ...headers,
    },
    body: JSON.stringify(initialize()),
  });

describe("the mount is told where the endpoint is", () => {
  test.each([
    ["/mcp", "/mcp"],
    ["/", "/"],
    ["/api/v1/ai", "/api/v1/ai"],
  ])("mounted at %s", async (mount, path) => {
    const app = new Hono().route(mount, mcp.router);
    const endpoint = `http://localhost${mount === "/" ? "" : mount}/mcp`;
    const answer = await opened(app, path);
    expect([answer.status, await answer.json()]).toEqual([
      404,
      {
        jsonrpc: "2.0",
        id: null,
        error: {
          code: -32000,
          message: `Not Found: MCP is served at ${endpoint}, below where the router is mounted`,
        },
      },
    ]);
    expect((await opened(app, new URL(endpoint).pathname)).status).toBe(200);
  });

  test("and with basePath, and a public URL", async () => {
    await mcp.close();
    mcp = build({ basePath: "/mcp", publicUrl: "https://ours.example/mcp" });
    for (const path of ["/mcp", "/mcp/"]) {
      const answer = await opened(mcp.router as Hono, path);
      expect(await answer.text()).toContain("MCP is served at https://ours.example/mcp/mcp,");
    }
  });

  test("but nobody else's answer is touched: the app's own routes, those after it, its own 404", async () => {
    const app = new Hono()
      .route("/", mcp.router)
      .post("/", (c) => c.text("the app's own"))
      .route("/none", new Hono());
    expect(await (await opened(app, "/")).text()).toBe("the app's own");
    expect(await (await opened(app, "/none")).text()).toBe("404 Not Found");
    const plain = await opened(new Hono().route("/", mcp.router), "/", { Accept: "*/*" });
    expect(await plain.text()).toBe("404 Not Found");
    const foreign = await opened(new Hono().route("/", mcp.router), "http://evil.example/");
    expect(await foreign.text()).toBe("404 Not Found");
  });
});

describe("behind node:http, as in an Express app,", () => {
  async function answered(handle: RequestListener, path = "/mcp"): Promise<[number, string]> {
    const server = createHttpServer(handle).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const answer = await post(`http://127.0.0.1:${port}${path}`, initialize());
    const text = await answer.text();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    return [answer.status, text];
  }

  test("a listener serves", async () => {
    expect(await answered(getRequestListener(mcp.router.fetch))).toEqual([
      200,
      expect.stringContaining("protocolVersion"),
    ]);
  });

  test("when a body parser has been there, it says who has the body", async () => {
    const listener = getRequestListener(mcp.router.fetch);
    const parsing: RequestListener = (request, response) => {
      request.resume().once("end", () => void listener(request, response));
    };
    expect(await answered(parsing)).toEqual([400, expect.stringContaining("there is no body; was it read")]);
  });

  test("`fetch` itself as a handler is an error at once, where it would have been silence", async () => {
    const wrong: RequestListener = (request, response) => {
      try {
        void mcp.router.fetch(request as never);
      } catch (error) {
        response.writeHead(500).end(String(error));
      }
    };
    expect(await answered(wrong)).toEqual([500, expect.stringContaining("use getRequestListener(fetch)")]);
    expect(() => mcp.router.fetch(undefined as never)).toThrow("fetch takes a Request");
  });
});

test.each(["router", "mcp"])("serve is told apart from its options: %s", async (what) => {
  const whole = what === "mcp" ? mcp : mcp.router;
  await expect(serve(whole as never)).rejects.toThrow("serve takes { fetch: mcp.router.fetch, onClose");
});
