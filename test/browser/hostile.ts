/** The console against a server that means harm, or knows no better: nothing that it says does anything. @module */
import type { Browser } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { consolePage } from "../../src/console/index.ts";
import { serveHttp } from "../client/support/http-server.ts";
import { callPicked, inOrder, outcome } from "./console.ts";
import { type User, visit } from "./console-page.ts";

const HTML = `<img src=x onerror="document.title='harmed'"><script>document.title='harmed'</script></pre>`;
const CONTROL = "a\u0000b\u001b[2Jc\u202ed\u2028e\ud800f\u0007";
const LARGE = 10_000_000;
const content = (text: string): object => ({ content: [{ type: "text", text }] });

/** Each is what a tool of that name gives. */
const RESULTS: Readonly<Record<string, unknown>> = {
  html: content(HTML),
  control: content(CONTROL),
  large: content("x".repeat(LARGE)),
  "large json": content(JSON.stringify(Array.from({ length: 500_000 }, (_, n) => ({ n })))),
  "large structure": {
    content: [],
    structuredContent: { all: Array.from({ length: 1_000_000 }, (_, n) => n) },
  },
  "many blocks": { content: Array.from({ length: 50_000 }, () => ({ type: "text", text: "one" })) },
  picture: { content: [{ type: "image", mimeType: 'image/png" onerror="x', data: "AAAA" }] },
  svg: {
    content: [
      {
        type: "image",
        mimeType: "image/svg+xml",
        data: btoa('<svg xmlns="http://www.w3.org/2000/svg" onload="parent.document.title=\'harmed\'"/>'),
      },
    ],
  },
  links: {
    content: [
      { type: "resource_link", uri: "javascript:document.title='harmed'", name: "click" },
      { type: "resource_link", uri: "https://example.com/", name: HTML },
    ],
  },
  shapes: { content: [null, 1, "text", [[]], { type: "text", text: {} }, { type: {} }], isError: "yes" },
  nothing: null,
  errors: undefined,
};

const DEEP: object = Array.from({ length: 1000 }).reduce<object>(
  (inner) => ({ type: "object", properties: { [HTML]: inner } }),
  { type: "string" },
);

async function serve(): Promise<string> {
  const answer = (id: unknown, name: unknown, method: unknown): unknown => {
    if (method === "initialize") {
      return {
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: HTML, version: CONTROL },
        instructions: `${HTML}${CONTROL}`,
      };
    }
    if (method === "tools/list") {
      const odd = { name: HTML, title: CONTROL, description: HTML.repeat(1000), inputSchema: DEEP };
      const looped = { name: "looped", inputSchema: { $ref: "#" } };
      const wrong = { name: { a: 1 }, inputSchema: "none", annotations: 7 };
      return {
        tools: [
          ...Object.keys(RESULTS).map((of) => ({ name: of, inputSchema: { type: "object" } })),
          odd,
          looped,
          wrong,
          null,
          3,
        ],
      };
    }
    return method === "tools/call" ? RESULTS[String(name)] : { id };
  };
  const server = await serveHttp(async (asked) => {
    if (asked.method === "GET" && asked.url.endsWith("/test")) return consolePage()();
    if (asked.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params } = (await asked.json()) as {
      id?: number;
      method?: string;
      params?: { name?: string };
    };
    if (id === undefined) return new Response(null, { status: 202 });
    const said =
      params?.name === "errors"
        ? { error: { code: { a: 1 }, message: { b: [HTML] }, data: HTML } }
        : { result: answer(id, params?.name, method) };
    return Response.json({ jsonrpc: "2.0", id, ...said });
  });
  onTestFinished(server.stop);
  return server.url;
}

/** How much of a page there is: a few megabytes of text would make it stand still. */
const weight = ({ page }: User): Promise<number> =>
  page.evaluate(() => document.body.textContent.length + document.querySelectorAll("*").length);

export function testHostile(browser: () => Browser): void {
  test("what a hostile server says to the console harms nothing", async () => {
    const user = await visit(browser(), `${await serve()}/test`);
    const { page, problems } = user;
    const script = await weight(user);
    await user.click("Connect");
    await user.status("Connected");
    await page.getByRole("button", { name: /^wrong|^html/ }).waitFor();

    const callAgain = async (name: string): Promise<void> => {
      await page
        .getByRole("button", { name: new RegExp(`^${name}\\b`) })
        .first()
        .click();
      await callPicked(user);
      await outcome(user, name === "errors" ? "error" : "ok");
    };
    const text = (): Promise<string | null> =>
      page.getByRole("region", { name: "Calls" }).locator("pre").first().textContent();
    for (const name of Object.keys(RESULTS)) {
      await callAgain(name);
      expect(await page.title(), name).toBe("Holdfast console");
      expect(await page.locator("img[src=x], pre script, a[href^=javascript]").count(), name).toBe(0);
      expect(await weight(user), name).toBeLessThan(script + 400_000);
      await user.click("Send Ping");
    }

    await callAgain("control");
    expect(await text()).toBe(String.raw`a\u{0}b\u{1b}[2Jc\u{202e}d\u{2028}e\u{d800}f\u{7}`);
    await callAgain("html");
    expect(await text()).toBe(HTML);
    await callAgain("links");
    await page.locator(".resource a").waitFor();
    const links = await page.locator(".resource a").evaluateAll((all) => all.map((link) => link.outerHTML));
    expect(links).toEqual([expect.stringContaining('rel="noopener noreferrer"')]);

    // A large text comes piece by piece.
    await callAgain("large");
    await page.getByText("10.0 M characters in all").first().waitFor();
    await page.getByRole("button", { name: "Show more" }).first().click();
    expect(await weight(user)).toBeLessThan(script + 600_000);

    // The tools whose schemas lead nowhere are asked for as JSON, and the page is whole.
    await page.getByRole("button", { name: /^looped\b/ }).click();
    await page.getByLabel("Arguments as JSON").waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
    expect(problems.filter((problem) => !problem.includes("status of 405"))).toEqual([]);
  }, 120_000);
}

export function testGapsAndDeploys(browser: () => Browser): void {
  test("the console says what was lost, what came twice, and that another version was deployed", async () => {
    let streams = 0;
    let looks = 0;
    const stream = (text: string): Response =>
      new Response(text, { headers: { "Content-Type": "text/event-stream" } });
    const event = (id: string): string =>
      `id: ${id}\nretry: 10\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}\n\n`;
    const server = await serveHttp(async (asked) => {
      const { pathname } = new URL(asked.url);
      if (pathname === "/test") return consolePage()();
      if (pathname === "/info")
        return Response.json({ name: "shop", version: ++looks === 1 ? "1.0.0" : "1.1.0" });
      if (asked.method === "DELETE") return new Response(null, { status: 204 });
      if (asked.method === "GET") {
        streams += 1;
        if (streams === 1) return stream(event("s.1") + event("s.2"));
        const from = asked.headers.get("last-event-id");
        if (streams === 2)
          return stream(`: gap: 7 events before this one are no longer held\n${event("s.a")}${event("s.a")}`);
        // From then on it is quiet.
        expect(from).toBe("s.a");
        return new Response(new ReadableStream(), { headers: { "Content-Type": "text/event-stream" } });
      }
      const { id } = (await asked.json()) as { id?: number };
      if (id === undefined) return new Response(null, { status: 202 });
      const result = { protocolVersion: "2025-11-25", capabilities: {} };
      return Response.json({ jsonrpc: "2.0", id, result }, { headers: { "Mcp-Session-Id": "s" } });
    });
    onTestFinished(server.stop);
    const user = await visit(browser(), `${server.url}/test`);
    const { page } = user;
    await user.connect();
    await page.locator(".sums", { hasText: "4 events" }).waitFor();
    await page.locator(".sums", { hasText: "7 lost" }).waitFor();
    await page.locator(".sums", { hasText: "1 doubled" }).waitFor();
    await inOrder(user, [
      /^event: event ×2/,
      /^drop: /,
      /^resume: .*from s\.2/,
      /^gap: .*7 events/,
      /^event: event ×2/,
    ]);
    await inOrder(user, [/^deploy: .*shop 1\.0\.0 → shop 1\.1\.0/]);
  });
}
