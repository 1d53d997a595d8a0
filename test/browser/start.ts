/** The console under `npm start`: where it is found, and that it can start the server anew. @module */
import type { Browser } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { npmStart } from "../client/support/npm-start.ts";
import { openPage } from "../support/browser.ts";
import { eventually } from "../support/wait.ts";
import { call, inOrder } from "./console.ts";
import { visit } from "./console-page.ts";

export function testStart(browser: () => Browser): void {
  describe("npm start", () => {
    test("leads to the console, prints where all is, and counts on in the same session when it is started anew", async () => {
      const server = await npmStart.start();
      onTestFinished(server.close);
      const { origin } = new URL(server.url);
      await eventually(() => {
        expect(server.output()).toContain(`MCP      ${origin}/mcp\n`);
        expect(server.output()).toContain(`Console  ${origin}/test\n`);
      });

      const { page: landing } = await openPage(browser());
      await landing.goto(`${origin}/`);
      const link = landing.getByRole("link", { name: "console" });
      const user = await visit(browser(), (await link.getAttribute("href")) ?? "");
      const { page } = user;
      expect(page.url()).toBe(`${origin}/test`);
      const session = await user.connect();
      await user.entry("status", "standalone stream is open");
      await call(user, "counter", { by: "1" }, "1");
      await user.click("Restart the server");
      await user.status("Reconnecting");
      await user.status("Connected");
      await call(user, "counter", { by: "1" }, "2");
      await inOrder(user, [/counter → 1/, /^deploy: /, /^drop: /, /^resume: /, /counter → 2/]);
      await page.locator("code.session", { hasText: session.slice(0, 12) }).waitFor();

      // Only the console may do this, and nobody learns how from a page of another origin.
      const restart = `${origin}/test/restart`;
      expect((await fetch(restart, { method: "POST" })).status).toBe(403);
      const asked = { Origin: "https://evil.example", "Access-Control-Request-Method": "POST" };
      const preflight = await fetch(restart, { method: "OPTIONS", headers: asked });
      expect(preflight.headers.get("access-control-allow-origin")).toBe(null);
    }, 180_000);
  });
}
