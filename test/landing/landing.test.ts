/** The landing page: browsers see it, nothing that speaks MCP does, and all that is in it is text. */
import { Hono } from "hono";
import { McpServer } from "@modelcontextprotocol/server";
import { afterEach, describe, expect, test } from "vitest";
import { consolePage } from "../../src/console/index.ts";
import { landingPage } from "../../src/landing/index.ts";
import {
  createLocalMcp,
  type HoldfastEvent,
  type LocalMcp,
  type LocalMcpOptions,
} from "../../src/local/index.ts";
import { modernHandler } from "../../src/modern/index.ts";

const createServer = (): McpServer => new McpServer({ name: "seen", version: "0" });
/** What Chrome and Firefox send when a page is opened. */
const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

let mcp: LocalMcp | undefined;
afterEach(() => mcp?.close());

const routed = (options: Partial<LocalMcpOptions> = {}): LocalMcp["router"] =>
  (mcp = createLocalMcp({
    createServer,
    logLevel: "silent",
    name: "Seen",
    landing: landingPage(),
    ...options,
  })).router;

const look = (
  at: { request(url: string, init: RequestInit): Response | Promise<Response> },
  url: string,
  headers: Record<string, string> = {},
) => at.request(url, { headers: { Accept: BROWSER, ...headers } });

async function page(response: Response | Promise<Response>): Promise<string> {
  const answer = await response;
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  return answer.text();
}

describe("a browser", () => {
  test.each(["/", "/mcp", "/mcp/"])("sees the page at %s", async (path) => {
    const text = await page(look(routed({ version: "1.2.3" }), `https://mcp.example${path}`));
    expect(text).toContain("<h1>Seen <small>1.2.3</small></h1>");
    expect(text).toContain('<pre class="url">https://mcp.example/mcp</pre>');
    expect(text).toContain("It speaks 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05,");
    for (const client of ["Claude", "Claude Code", "Cursor", "VS Code", "MCP Inspector"])
      expect(text).toContain(`<h2>${client}</h2>`);
    expect(text).toContain("claude mcp add --transport http seen &#39;https://mcp.example/mcp&#39;");
    expect(text).not.toContain("console");
  });

  test("is told of 2026-07-28 where it is served, and led to the console where there is one", async () => {
    const modern = modernHandler({ createServer });
    const text = await page(look(routed({ modern, console: consolePage() }), "http://localhost/mcp"));
    expect(text).toContain("It speaks 2026-07-28, 2025-11-25,");
    expect(text).toContain('<a href="http://localhost/test">');
  });

  test("needs no credentials for it, and its Host is judged all the same", async () => {
    const router = routed({ authorize: () => undefined });
    await page(look(router, "https://mcp.example/mcp"));
    expect((await look(router, "http://evil.example/mcp")).status).toBe(403);
    expect((await look(router, "http://evil.example/")).status).toBe(404);
  });

  test.each([
    ["basePath", { basePath: "/api" }, "https://mcp.example/api/mcp"],
    ["basePath, at its root", { basePath: "/api" }, "https://mcp.example/api"],
    ["basePath, at its root with a slash", { basePath: "/api" }, "https://mcp.example/api/"],
  ])("sees the URL of the mount: %s", async (_, options, url) => {
    expect(await page(look(routed(options), url))).toContain(">https://mcp.example/api/mcp</pre>");
  });

  test("a page's script, which names its Origin, is judged by it", async () => {
    const origin = "https://app.example";
    const router = routed({ allowedOrigins: [origin] });
    const answer = await look(router, "https://mcp.example/mcp", { Origin: origin });
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([405, origin]);
    expect((await look(router, "https://mcp.example/mcp", { Origin: "https://evil.example" })).status).toBe(
      403,
    );
  });

  test("sees it below the mount of an app, with publicUrl, and behind a proxy that ends TLS", async () => {
    const mounted = new Hono().route("/ai", routed() as never);
    for (const path of ["/ai", "/ai/mcp"])
      expect(await page(look(mounted, `https://a.example${path}`))).toContain(
        ">https://a.example/ai/mcp</pre>",
      );
    const proxied = { "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1" };
    expect(await page(look(mounted, "http://a.example/ai/mcp", proxied))).toContain(
      ">https://a.example/ai/mcp<",
    );
    const known = routed({ publicUrl: "https://public.example/x" });
    expect(await page(look(known, "http://localhost/mcp"))).toContain(">https://public.example/x/mcp</pre>");
  });

  test("gets a page that loads nothing, runs nothing and is kept by nobody", async () => {
    const answer = await look(routed(), "https://mcp.example/mcp");
    const policy = answer.headers.get("content-security-policy") ?? "";
    const nonce = /style-src 'nonce-([\w+/]{24})'/.exec(policy)?.[1];
    expect(policy.split("; ")).toEqual([
      "default-src 'none'",
      `style-src 'nonce-${nonce}'`,
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
    const text = await answer.text();
    expect(text).toContain(`<style nonce="${nonce}">`);
    expect(text).not.toMatch(/<script|\son\w+=|\ssrc=|@import|url\(/i);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("vary")).toBe("Accept");
    expect((await look(routed(), "https://mcp.example/mcp")).headers.get("content-security-policy")).not.toBe(
      policy,
    );
  });

  test("sees text as text, whatever names and paths hold", async () => {
    const evil = `<script>alert(1)</script>"'&`;
    const router = routed({ name: evil, version: evil, landing: landingPage({ description: evil }) });
    const app = new Hono().route("/:tenant", router as never);
    const text = await page(look(app, "https://mcp.example/a';rm -rf ~;'/mcp"));
    expect(text).not.toContain("<script");
    expect(text).not.toContain("';rm");
    expect(text).toContain("a%27;rm%20-rf%20~;%27/mcp");
    expect(text).toContain("claude mcp add --transport http script-alert-1-script &#39;https");
  });
});

describe("what is no browser gets what it got before", () => {
  const without = { landing: undefined };
  test.each<[what: string, path: string, headers: Record<string, string>, method?: string]>([
    ["an EventSource", "/mcp", { Accept: "text/event-stream" }],
    ["a client that takes streams and pages", "/mcp", { Accept: "text/html, text/event-stream" }],
    ["one that takes anything", "/mcp", { Accept: "*/*" }],
    ["one that takes any text", "/mcp", { Accept: "text/*" }],
    ["one that refuses HTML", "/mcp", { Accept: "text/html;q=0, application/json" }],
    ["one that names a session", "/mcp", { "Mcp-Session-Id": "x" }],
    ["a POST", "/mcp", {}, "POST"],
    ["a DELETE", "/mcp", {}, "DELETE"],
    ["an EventSource of HTTP+SSE with a browser's headers", "/messages", {}],
    ["/info", "/info", {}],
    ["/health", "/health", {}],
    ["the mount, asked by a program", "/", { Accept: "application/json" }],
    ["another path", "/other", {}],
  ])("%s", async (_, path, headers, method = "GET") => {
    const ask = (options: object): Promise<Response> =>
      Promise.resolve(routed(options).request(path, { method, headers: { Accept: BROWSER, ...headers } }));
    const [plain, landed] = [await ask(without), await ask({})];
    expect(landed.status).toBe(plain.status);
    expect(landed.headers.get("content-type")).toBe(plain.headers.get("content-type"));
    expect(landed.headers.get("content-type") ?? "").not.toContain("html");
  });

  test("without the option there is no page", async () => {
    expect((await look(routed(without), "https://mcp.example/mcp")).status).toBe(405);
    expect((await look(routed(without), "https://mcp.example/")).status).toBe(404);
  });
});

test.each<[string, unknown]>([
  [
    "throws",
    () => {
      throw new Error("no page");
    },
  ],
  ["returns no Response", () => "<h1>"],
])("a page that %s is told, and the browser gets what it would without", async (_, landing) => {
  const events: HoldfastEvent[] = [];
  const router = routed({ landing: landing as never, onEvent: (event) => events.push(event) });
  expect((await look(router, "https://mcp.example/mcp")).status).toBe(405);
  expect(events.filter(({ type }) => type === "hook.error")).toMatchObject([{ hook: "landing" }]);
});
