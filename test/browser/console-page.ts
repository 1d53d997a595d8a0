/** L-24: the console, by the buttons that it has had from the first; how it is served; how it reads streams. @module */
import { Hono } from "hono";
import type { Browser, Page } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { createLocalMcp, serve } from "../../src/local/node.ts";
import { consolePage } from "../../src/console/index.ts";
import { serveHttp } from "../client/support/http-server.ts";
import { openPage, type WatchedPage } from "../support/browser.ts";
import type { Mortal } from "../support/hosts.ts";
import { openSession, post } from "../support/mcp.ts";
import { request, toolCall } from "../support/messages.ts";
import { createTestServer } from "../support/test-server.ts";
import { BOUND_MS, eventually, within } from "../support/wait.ts";

/** The page as a user has it. */
export interface User extends WatchedPage {
  click(button: string): Promise<void>;
  /** Waits until the status reads so. */
  status(text: string): Promise<void>;
  /** Waits for an entry of this kind that holds the text. */
  entry(kind: string, text: string): Promise<void>;
  /** Connects, and returns the id of the session. */
  connect(): Promise<string>;
}

/** The console, with its log unfolded. */
export async function visit(browser: Browser, url: string): Promise<User> {
  const watched = await openPage(browser);
  const { page } = watched;
  page.setDefaultTimeout(BOUND_MS);
  await page.goto(url);
  await page.getByRole("button", { name: "Unfold all" }).click();
  const user: User = {
    ...watched,
    click: (name) => page.getByRole("button", { name, exact: true }).click(),
    status: (text) => page.locator("#status", { hasText: new RegExp(`^${text}$`) }).waitFor(),
    entry: (kind, text) => page.locator(`#log .${kind}`, { hasText: text }).first().waitFor(),
    async connect() {
      const answered = page.waitForResponse((response) => "mcp-session-id" in response.headers());
      await user.click("Connect");
      await user.status("Connected");
      return (await answered).headers()["mcp-session-id"] ?? "";
    },
  };
  return user;
}

/** Waits until the server does not know the session any more. */
export function gone(url: string, session: string): Promise<void> {
  return eventually(async () => {
    const answer = await post(`${url}/mcp`, request("ping"), { "Mcp-Session-Id": session });
    expect(answer.status).toBe(404);
  });
}

const initializes = ({ requests }: WatchedPage): number =>
  requests.filter(({ body }) => body?.includes('"initialize"')).length;

export function testConsolePage(browser: () => Browser, server: Mortal): void {
  describe("the console (L-24)", () => {
    const open = (): Promise<User> => visit(browser(), `${server.url}/test`);

    test("drives the server by its buttons, and leaves nothing behind", async () => {
      const user = await open();
      const { page, problems, requests } = user;
      await user.status("Disconnected");
      const session = await user.connect();
      await user.entry("response", '"protocolVersion": "2025-11-25"');
      await user.entry("status", "standalone stream is open");
      await user.click("Send Ping");
      await user.entry("response", '"result": {}');
      await user.click("Get Tools List");
      await user.entry("response", '"name": "echo"');

      const headers = { "Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25" };
      await post(`${server.url}/mcp`, toolCall("emit", { count: 1, on: "standalone" }), headers);
      await user.entry("notification", '"n": 1');
      const colours = await page.evaluate(() =>
        ["sent", "response", "notification", "status"].map((kind) => {
          const entry = document.querySelector(`#log .${kind}`);
          return entry && getComputedStyle(entry).borderLeftColor;
        }),
      );
      expect(new Set(colours).size).toBe(4);

      await user.click("Disconnect");
      await user.status("Disconnected");
      await user.entry("status", "DELETE: 204");
      await gone(server.url, session);
      // What the first session has said is not to be taken for the second's.
      await user.click("Clear Log");
      const again = await user.connect();
      expect(again).not.toBe(session);
      // The last of what it asks by itself.
      await user.entry("response", '"resourceTemplates"');
      await user.click("Clear Log");
      await eventually(async () => expect(await page.locator("#log li").count()).toBe(0));
      await user.click("Send Ping");
      await user.entry("response", '"result": {}');
      await user.click("Disconnect");
      await gone(server.url, again);

      expect(problems).toEqual([]);
      expect(new Set(requests.map(({ url }) => url))).toEqual(
        new Set([`${server.url}/test`, `${server.url}/mcp`, `${server.url}/info`]),
      );
    });

    test("a double click on Connect opens one session", async () => {
      const user = await open();
      await user.page.getByRole("button", { name: "Connect", exact: true }).dblclick();
      // A button that is disabled stops clicks; the guard behind it must hold by itself.
      await user.page.locator("#connect").dispatchEvent("click");
      await user.status("Connected");
      await user.page.locator("#connect").evaluate((button) => button.dispatchEvent(new Event("click")));
      await user.click("Send Ping");
      await user.entry("response", '"result": {}');
      expect(initializes(user)).toBe(1);
    });

    test.each([
      ["closing the page", (page: Page) => page.close()],
      ["going elsewhere", (page: Page) => page.goto("about:blank")],
    ])("%s ends its session and its stream", async (_how, leave) => {
      const user = await open();
      const session = await user.connect();
      await user.entry("status", "standalone stream is open");
      await leave(user.page);
      await gone(server.url, session);
      const connections = (type: string, of: object = {}): unknown[] =>
        server
          .events()
          .filter(
            (event) =>
              event.type === type && Object.entries(of).every(([key, value]) => event[key] === value),
          )
          .map(({ connectionId }) => connectionId);
      const [stream, ...others] = connections("connection.setup", { session: session.slice(0, 8) });
      expect(others).toEqual([]);
      await eventually(() => expect(connections("connection.closed")).toContain(stream));
    });

    test("says when the server is away, and goes on when it is back", async () => {
      const user = await open();
      const session = await user.connect();
      await user.entry("status", "standalone stream is open");
      await server.kill();
      await user.status("Reconnecting");
      const attempts = (): number => user.requests.filter(({ method }) => method === "GET").length;
      const before = attempts();
      await eventually(() => expect(attempts()).toBeGreaterThan(before + 1));
      await server.restart();
      await user.status("Connected");
      const headers = { "Mcp-Session-Id": session };
      await post(`${server.url}/mcp`, toolCall("emit", { count: 1, on: "standalone" }), headers);
      await user.entry("notification", '"n": 1');
      await user.click("Disconnect");
      await gone(server.url, session);
    });

    test("what a stream says goes into no cache of the browser", async () => {
      const { page } = await open();
      const { id } = await openSession(server.url);
      const kept = page.evaluate(async (session) => {
        const headers = { Accept: "text/event-stream", "Mcp-Session-Id": session };
        const stream = await fetch("/mcp", { headers });
        await stream.body?.getReader().read();
        const found = await fetch("/mcp", { headers, cache: "only-if-cached", mode: "same-origin" }).catch(
          () => undefined,
        );
        return found?.status;
      }, id);
      // Where it is being written, Chromium waits for 20 s; for what it has not, it fails at once, or says 504.
      expect([undefined, 504]).toContain(await within(kept, "a look into the cache"));
    });

    test("may not be framed, stored or read across origins", async () => {
      const answer = await fetch(`${server.url}/test`);
      const { headers } = answer;
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      const policy = headers.get("content-security-policy") ?? "";
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("unsafe");
      const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1] ?? "";
      expect(nonce.length).toBeGreaterThan(20);
      const html = await answer.text();
      const [, script = ""] = /<script[^>]*>([^]*)<\/script>/.exec(html) ?? [];
      expect(script.length).toBeGreaterThan(10_000);
      expect(html.replace(script, "")).not.toMatch(/ on\w+=|https?:\/\//);
      // Names of XML, which nobody fetches.
      for (const [url] of script.matchAll(/https?:\/\/[\w.-]+/g)) expect(url).toBe("http://www.w3.org");
      expect(script).not.toMatch(/\beval\(|new Function\b|\bimport\(/);
      const other = await fetch(`${server.url}/test`);
      expect(other.headers.get("content-security-policy")).not.toContain(nonce);
    });
  });
}

/** In an app, where users must say who they are. */
export function testMounts(browser: () => Browser): void {
  const start = async (options: { console?: () => Response }): Promise<string> => {
    const mcp = createLocalMcp({
      createServer: createTestServer,
      basePath: "/ai",
      onEvent() {},
      authorize: (asked) =>
        asked.headers.get("authorization") === "Bearer ada" ? { principal: "ada" } : undefined,
      ...options,
    });
    const app = new Hono().route("/api/v1", mcp.router);
    const server = await serve({ fetch: app.fetch, port: 0, onClose: mcp.close });
    onTestFinished(server.close);
    return `${server.url}/api/v1/ai`;
  };

  test.each(["/test", "/test/"])("the console works below any mount (%s), with a token", async (path) => {
    const user = await visit(browser(), `${await start({ console: consolePage() })}${path}`);
    await user.click("Connect");
    await user.entry("error", "401");
    await user.status("Disconnected");
    await user.page.getByLabel("Authorization").fill("Bearer ada");
    await user.connect();
    await user.click("Get Tools List");
    await user.entry("response", '"name": "echo"');
  });

  test("there is no console unless it is asked for", async () => {
    expect((await fetch(`${await start({})}/test`)).status).toBe(404);
  });
}

/** The page against a server that says everything the hard way. */
export function testParser(browser: () => Browser): void {
  /** Sends the text byte by byte. */
  const trickle = (text: string): ReadableStream<Uint8Array> => {
    const bytes = new TextEncoder().encode(text);
    let at = 0;
    return new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setImmediate(resolve));
        if (at === bytes.length) return controller.close();
        controller.enqueue(bytes.subarray(at, ++at));
      },
    });
  };
  const stream = (text: string): Response =>
    new Response(trickle(text), { headers: { "Content-Type": "text/event-stream", "Mcp-Session-Id": "s" } });

  test("the console reads streams that are cut anywhere, with any line ends, and resumes them", async () => {
    const posted: { id?: number; method?: string; result?: unknown }[] = [];
    const resumedFrom: (string | null)[] = [];
    let pingId: number | undefined;
    const server = await serveHttp(async (asked) => {
      if (asked.method === "GET" && asked.url.endsWith("/test")) return consolePage()();
      if (asked.method === "DELETE") return new Response(null, { status: 204 });
      if (asked.method === "GET") {
        const from = asked.headers.get("last-event-id");
        if (from === null) return new Response(null, { status: 405 });
        resumedFrom.push(from);
        return stream(`data: {"jsonrpc":"2.0","id":${pingId},"result":{"resumed":"é→😀"}}\r\n\r\n`);
      }
      const message = (await asked.json()) as (typeof posted)[number];
      posted.push(message);
      const { id, method } = message;
      if (method === "initialize") {
        return stream(
          ":hello\r\n\r\nretry: 10\r\nid: 1\r\ndata:\r\n\r\n" +
            `event: message\rdata: {"jsonrpc":"2.0",\rdata: "id":${id},"result":{"protocolVersion":"2025-11-25"}}\r\r`,
        );
      }
      if (method === "ping") {
        pingId = id;
        // Cut off in the middle of an event, which is lost with its id.
        return stream(
          'id: 7\r\nretry: 10\r\ndata: {"jsonrpc":"2.0",\r\ndata: "id":"q","method":"ping"}\r\n\r\nid: 8\r\ndata: {"half',
        );
      }
      return new Response(null, { status: 202 });
    });
    onTestFinished(server.stop);
    const user = await visit(browser(), `${server.url}/test`);
    await user.connect();
    await user.entry("comment", "hello");
    await user.entry("status", "no standalone stream");
    await user.click("Send Ping");
    await user.entry("request", '"id": "q"');
    await user.entry("response", "é→😀");
    expect(resumedFrom).toEqual(["7"]);
    expect(posted.find((message) => String(message.id) === "q")).toEqual({
      jsonrpc: "2.0",
      id: "q",
      result: {},
    });
    expect(await user.page.locator("#log .error").count()).toBe(0);
  });
}
