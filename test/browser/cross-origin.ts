/** Pages on other origins: one that may call, with the official client, and one that may not. @module */
import type { Browser, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { openPage } from "../support/browser.ts";
import type { Mortal } from "../support/hosts.ts";
import { openSession } from "../support/mcp.ts";
import { initialize, upTo } from "../support/messages.ts";
import { eventually } from "../support/wait.ts";
import type { Asked } from "./lab.ts";
import type { Pages } from "./pages.ts";

/** A page of the site, with `lab` in it. */
export async function visit(browser: Browser, origin: string): Promise<Page> {
  const { page } = await openPage(browser);
  await page.goto(origin);
  await page.waitForFunction(() => "lab" in globalThis);
  return page;
}

export function testCrossOrigin(browser: () => Browser, server: Mortal, pages: Pages): void {
  const created = (): number => server.events().filter(({ type }) => type === "session.created").length;
  /** Statuses of the answers to requests of this method. */
  const answers = (method: string): unknown[] =>
    server
      .events()
      .filter((event) => event.type === "request" && event["method"] === method)
      .map(({ status }) => status);

  describe("a page on an allowed origin (P-25, G-27)", () => {
    test("runs the official client: sessions, streams, and recovery when the session is lost", async () => {
      const page = await visit(browser(), pages.allowed);
      const mcp = `${server.url}/mcp`;
      expect(await page.evaluate((url) => lab.connect(url, "session"), mcp)).toBe("2025-11-25");
      const session = await page.evaluate(() => lab.session());
      // It can be read across origins only where the answer exposes it.
      expect(session).toMatch(/^[0-9a-f]{64}$/);
      expect(await page.evaluate(() => lab.tools())).toContain("echo");
      expect(await page.evaluate(() => lab.call("echo", { text: "héllo" }))).toEqual([
        { type: "text", text: "héllo" },
      ]);
      await page.evaluate(() => lab.call("emit", { count: 3, on: "standalone" }));
      await eventually(async () => expect(await page.evaluate(() => lab.numbers)).toEqual(upTo(3)));

      await fetch(mcp, { method: "DELETE", headers: { "Mcp-Session-Id": session ?? "" } });
      const headers = { "Mcp-Session-Id": session ?? "", Accept: "text/event-stream" };
      const lost = await page.evaluate(([url, init]) => lab.ask(url, init), [mcp, { headers }] as const);
      expect(lost).toMatchObject({ status: 404, body: expect.stringContaining("-32001") as unknown });

      expect(await page.evaluate(() => lab.call("echo", { text: "still here" }))).toEqual([
        { type: "text", text: "still here" },
      ]);
      expect(await page.evaluate(() => lab.recoveries)).toContain("reinitialized");
      await page.evaluate(() => {
        lab.numbers.length = 0;
        return lab.call("emit", { count: 2, on: "standalone" });
      });
      await eventually(async () => expect(await page.evaluate(() => lab.numbers)).toEqual(upTo(2)));
      await page.evaluate(() => lab.close());
    });

    test("runs the official client of 2026-07-28: its headers pass the preflight", async () => {
      const page = await visit(browser(), pages.allowed);
      const preflights = answers("OPTIONS").length;
      expect(await page.evaluate((url) => lab.connect(url, "modern"), `${server.url}/mcp`)).toBe(
        "2026-07-28",
      );
      expect(await page.evaluate(() => lab.tools())).toContain("echo");
      expect(await page.evaluate(() => lab.call("echo", { text: "modern" }))).toEqual([
        { type: "text", text: "modern" },
      ]);
      const uri = "test://page";
      await page.evaluate((of) => lab.listen(of), uri);
      await page.evaluate((of) => lab.call("touch", { uri: of }), uri);
      await eventually(async () => expect(await page.evaluate(() => lab.updated)).toEqual([uri]));
      expect(answers("OPTIONS").length).toBeGreaterThan(preflights);
      await page.evaluate(() => lab.close());
    });
  });

  test("a page on any other origin sees nothing and opens nothing (B2)", async () => {
    const page = await visit(browser(), pages.foreign);
    const before = created();
    const refused = answers("POST").filter((status) => status === 403).length;
    const mcp = `${server.url}/mcp`;
    const body = JSON.stringify(initialize());
    const ask = (init: Asked): Promise<unknown> =>
      page.evaluate(([url, how]) => lab.ask(url, how), [mcp, init] as const);
    await expect(page.evaluate((url) => lab.connect(url, "session"), mcp)).rejects.toThrow();
    const headers = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" };
    expect(await ask({ method: "POST", headers, body })).toBe("TypeError");
    // A request for which no browser asks first: it is the server that must turn it away.
    expect(await ask({ method: "POST", mode: "no-cors", body })).toMatchObject({ status: 0, body: "" });
    const isRefused = (): void =>
      expect(answers("POST").filter((status) => status === 403)).toHaveLength(refused + 1);
    await eventually(isRefused);
    const CLOSED = 2;
    expect(await page.evaluate((url) => lab.listenToEvents(url), `${server.url}/sse`)).toBe(CLOSED);
    // Events come in order: with this session's, all that came before it would be there.
    await openSession(server.url);
    await eventually(() => expect(created()).toBeGreaterThan(before));
    expect(created()).toBe(before + 1);
  });
}
