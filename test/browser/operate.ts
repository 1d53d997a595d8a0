/** The console for operators: the log of a session as it grows, and which process has one of several. @module */
import type { Browser, Locator } from "playwright-core";
import { describe, expect, onTestFinished, test } from "vitest";
import { consolePage } from "../../src/console/index.ts";
import { serveHttp } from "../client/support/http-server.ts";
import { startCluster } from "../support/cluster.ts";
import type { Mortal } from "../support/hosts.ts";
import { toolCall } from "../support/messages.ts";
import { openSession } from "../support/mcp.ts";
import { eventually } from "../support/wait.ts";
import { violations } from "./accessible.ts";
import { signIn } from "./console.ts";
import { type User, visit } from "./console-page.ts";

const logOf = ({ page }: User): Locator =>
  page.getByRole("article", { name: "Session" }).getByRole("list", { name: "Log" });

/** What the list says, line by line, without times. */
const linesOf = (user: User): Promise<string[]> =>
  logOf(user)
    .locator("li .what")
    .evaluateAll((items) => items.map((item) => item.textContent.trim()));

const SCHEMES = ["light", "dark"] as const;

/** Where screenshots go for whoever wants to look at them. */
const SHOTS = process.env["HOLDFAST_SCREENSHOTS"];

/** Axe finds nothing, nothing runs out of the page, in light and dark, on a phone and on a desktop. */
async function isFine({ page }: User, name: string): Promise<void> {
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 844 });
      if (SHOTS !== undefined) {
        await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}-${width}.png`, fullPage: true });
      }
      expect([colorScheme, width, ...(await violations(page))]).toEqual([colorScheme, width]);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow).toBeLessThanOrEqual(0);
      // The list does not give way to the session that is looked at.
      const list = page.getByRole("group", { name: "Sessions" });
      const { height, needed } = await list.evaluate(({ clientHeight, scrollHeight }) => ({
        height: clientHeight,
        needed: Math.min(scrollHeight, 100),
      }));
      expect(height).toBeGreaterThanOrEqual(needed);
    }
  }
}

async function operate(user: User): Promise<void> {
  const { page } = user;
  await page.setViewportSize({ width: 1280, height: 844 });
  await page.getByRole("navigation").getByRole("button", { name: "Operate" }).click();
}

export function testOperate(browser: () => Browser, server: Mortal): void {
  describe("the console for operators", () => {
    test("shows the log of a session, which grows while one looks; found, read and scrolled by keyboard", async () => {
      const session = await openSession(server.url);
      await session.tool("echo", { text: "the-secret" });
      const user = await visit(browser(), `${server.url}/test`);
      const { page } = user;
      await operate(user);
      await signIn(user);
      await page.getByRole("button", { name: session.id.slice(0, 12) }).focus();
      await page.keyboard.press("Enter");
      await logOf(user).waitFor();
      const opened = [
        "call.ended initialize ok",
        "session.created kind streamable",
        "call.ended tools/call echo ok",
      ];
      const withoutMs = async (): Promise<string[]> =>
        (await linesOf(user)).map((line) => line.replace(/ [\d.]+ ms$/, ""));
      expect(await withoutMs()).toEqual(opened);

      const stream = await session.get();
      await stream.next();
      const calling = await session.stream(toolCall("sleep", { ms: 600_000 }));
      await calling.next();
      await (await session.post(toolCall("test_error_handling"))).text();
      await eventually(async () =>
        expect((await withoutMs()).slice(opened.length)).toEqual([
          expect.stringMatching(/^stream\.attached stream \w+, connection [0-9a-f-]{8}$/),
          "call.started tools/call sleep",
          expect.stringMatching(/^stream\.attached stream \w+, connection [0-9a-f-]{8}$/),
          expect.stringMatching(/^tool\.threw tool test_error_handling/),
          "call.ended tools/call test_error_handling tool-error",
        ]),
      );
      // The sign says the same as the colour, and differs where the outcome does.
      const signs = await logOf(user)
        .locator("li")
        .evaluateAll((items) =>
          items.map((item) => `${item.className} ${item.querySelector(".sign")?.textContent}`),
        );
      expect([signs[2], signs.at(-1)]).toEqual(["answer ✓", "error !"]);

      // A list that is longer than its frame can be reached by Tab, and scrolled by its keys.
      for (let n = 0; n < 30; n++) await session.tool("echo", { text: "more" });
      await eventually(async () => expect((await linesOf(user)).length).toBeGreaterThan(35));
      const list = logOf(user);
      await page.getByRole("button", { name: "End this session" }).focus();
      for (let presses = 0; presses < 20; presses++) {
        if (await list.evaluate((element) => element === document.activeElement)) break;
        await page.keyboard.press("Tab");
      }
      const isUp = (): Promise<boolean> => list.evaluate(({ scrollTop }) => scrollTop === 0);
      // It shows its end until somebody scrolls up to read.
      expect(await isUp()).toBe(false);
      await page.keyboard.press("Home");
      await eventually(async () => expect(await isUp()).toBe(true));
      const before = (await linesOf(user)).length;
      await session.tool("echo", { text: "more" });
      await eventually(async () => expect((await linesOf(user)).length).toBe(before + 1));
      expect(await isUp()).toBe(true);
      expect(await page.locator("body").textContent()).not.toContain("the-secret");
      await isFine(user, "log");
      stream.leave();
      calling.leave();
    }, 60_000);
  });
}

/** Against a server that knows no better: what its log says is text. */
export function testHostileLog(browser: () => Browser): void {
  test("a log that is none, or says anything, harms nothing", async () => {
    const html = `<img src=x onerror="document.title='harmed'">`;
    const logs: unknown[] = [
      { since: html, dropped: html, entries: html },
      {
        since: 1,
        dropped: -1,
        entries: [null, 1, "x", { type: html, time: html, [html]: html }, { type: {} }],
      },
      {
        since: 1.7e12,
        dropped: 7,
        entries: Array.from({ length: 2000 }, () => ({ type: "call.ended", name: html, outcome: html })),
      },
      html,
      [],
    ];
    let at = 0;
    const server = await serveHttp(async ({ method, url }) => {
      const { pathname } = new URL(url);
      if (method === "GET" && pathname === "/test") return consolePage()();
      if (pathname === "/admin/sessions") return Response.json({ sessions: [{ id: "hostile-session" }] });
      if (pathname.startsWith("/admin/")) {
        return Response.json({ id: "hostile-session", log: logs[at] });
      }
      return new Response(null, { status: 404 });
    });
    onTestFinished(server.stop);
    const user = await visit(browser(), `${server.url}/test`);
    const { page, problems } = user;
    await operate(user);
    for (at = 0; at < logs.length; at++) {
      await page.getByRole("button", { name: "hostile-sess" }).click();
      const one = page.getByRole("article", { name: "Session" });
      await one.waitFor();
      expect(await one.locator("img").count()).toBe(0);
      await one.getByRole("button", { name: "Close" }).click();
      await one.waitFor({ state: "detached" });
    }
    expect(await page.title()).not.toBe("harmed");
    expect(problems.filter((problem) => !problem.includes("404"))).toEqual([]);
  });
}

/** Of several processes each row says which has the session. */
export function testClusterColumn(browser: () => Browser): void {
  test(
    "of several processes, which one has a session is a column; one shows what another has",
    { timeout: 120_000 },
    async () => {
      const cluster = await startCluster({
        runtimes: ["node", "node"],
        vars: { TEST_ADMIN: "on", HOLDFAST_CONSOLE: "1", TEST_EVICT_MS: "60000" },
      });
      onTestFinished(cluster.close);
      const [one, two] = cluster.members;
      if (one === undefined || two === undefined) throw new Error("there are two");
      const [first, second] = [await openSession(one.url), await openSession(two.url)];
      const calls = await Promise.all(
        [first, second].map((session) => session.stream(toolCall("sleep", { ms: 600_000 }))),
      );
      await Promise.all(calls.map((call) => call.next()));
      const user = await visit(browser(), `${one.url}/test`);
      const { page } = user;
      await operate(user);
      await signIn(user);
      await page.getByRole("columnheader", { name: "Process" }).waitFor();
      const row = (id: string): Locator => page.getByRole("row").filter({ hasText: id.slice(0, 12) });
      await row(first.id).getByRole("cell", { name: one.url }).waitFor();
      await row(second.id).getByRole("cell", { name: two.url }).waitFor();
      await row(second.id).getByRole("button").click();
      await page.getByRole("article", { name: "Session" }).getByText(two.url, { exact: true }).waitFor();
      await eventually(async () =>
        expect(await linesOf(user)).toEqual([
          expect.stringMatching(/^call\.ended initialize ok/),
          "session.created kind streamable",
          "call.started tools/call sleep",
          expect.stringMatching(/^stream\.attached/),
        ]),
      );
      await isFine(user, "cluster");
      for (const call of calls) call.leave();
    },
  );
}
