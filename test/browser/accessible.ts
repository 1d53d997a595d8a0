/** What axe finds on the console's page, in each of its states, schemes and widths. @module */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults, RunOptions } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import type { Mortal } from "../support/hosts.ts";
import { visit } from "./console-page.ts";
import { callPicked, outcome, pick, signIn } from "./console.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [1280, 390];

/** Violations that axe finds on the page as it is now, told so that they can be found. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(of: Document, how: RunOptions): Promise<AxeResults> };
    };
    return (await axe.run(document, {})).violations.map(({ id, nodes }) => ({
      id,
      targets: nodes.map(({ html, failureSummary }) => `${html}\n${failureSummary ?? ""}`),
    }));
  });
  return found.map(({ id, targets }) => `${id}: ${targets.join("\n")}`);
}

/** On one host: the page is the same, byte for byte, wherever it comes from. */
export function testAccessible(browser: () => Browser, server: Mortal): void {
  describe("the console, for everybody", () => {
    test.each(
      (["light", "dark"] as const).flatMap((scheme) => WIDTHS.map((width) => [scheme, width] as const)),
    )(
      "axe finds nothing to mend (%s, %i pixels wide)",
      async (scheme, width) => {
        const user = await visit(browser(), `${server.url}/test`);
        const { page } = user;
        const show = async (view: string): Promise<void> => {
          if (width < 900 || view === "Operate" || view === "Drive") {
            await page.getByRole("navigation").getByRole("button", { name: view }).click();
          }
        };
        const none = async (): Promise<void> => {
          expect(await violations(page)).toEqual([]);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          expect(overflow).toBeLessThanOrEqual(0);
        };
        await page.emulateMedia({ colorScheme: scheme });
        await none();
        const session = await user.connect();
        await user.click("Send 100 events");
        await page.locator(".sums", { hasText: "100 events" }).waitFor();
        await page.setViewportSize({ width, height: 844 });
        await pick(user, "counter");
        await callPicked(user, { by: "1" });
        await outcome(user, "ok");
        await none();
        await show("Session");
        await user.click("Cut the connection");
        await user.status("Cut");
        await none();
        await user.click("Resume from here");
        await user.status("Connected");
        await show("Wire");
        await page.locator("#log").waitFor();
        await none();
        await show("Operate");
        await page.getByText("The server asks who you are").waitFor();
        await none();
        await signIn(user);
        await page.getByRole("button", { name: session.slice(0, 12) }).click();
        await page.getByRole("heading", { name: session }).waitFor();
        await none();
        await show("Drive");
        await pick(user, "test_elicitation_sep1330_enums");
        await callPicked(user);
        await page.getByRole("dialog").waitFor();
        await none();
        await page.getByRole("dialog").getByRole("button", { name: "Decline" }).click();
        await outcome(user, "ok");
      },
      120_000,
    );
  });
}
