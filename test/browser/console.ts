/**
 * The console as a person drives it: forms, questions, progress, cuts and restarts, every era, by keyboard and by ear.
 * @module
 */
import type { Browser, Locator } from "playwright-core";
import { describe, expect, test } from "vitest";
import type { Mortal } from "../support/hosts.ts";
import { openSession, post } from "../support/mcp.ts";
import { toolCall } from "../support/messages.ts";
import { eventually } from "../support/wait.ts";
import { type User, visit } from "./console-page.ts";

/** Picks a tool from the list. */
export async function pick({ page }: User, tool: string): Promise<void> {
  // Where the page is narrow, what was picked before stands in the list's place.
  await page.locator(".drive").waitFor();
  const back = page.getByRole("button", { name: "‹ Back" });
  if (await back.isVisible()) await back.click();
  await page.getByRole("searchbox", { name: "Search" }).fill(tool);
  await page
    .getByRole("list", { name: "Tools" })
    .getByRole("button")
    .filter({ has: page.getByText(tool, { exact: true }) })
    .click();
}

/** Fills the form of the tool that was picked, and calls it. */
export async function callPicked({ page }: User, args: Record<string, string> = {}): Promise<void> {
  for (const [name, value] of Object.entries(args)) {
    const field = page.locator("form.schema").getByLabel(new RegExp(`^${name}( required)?$`));
    if ((await field.evaluate(({ tagName }) => tagName)) === "SELECT") await field.selectOption(value);
    else await field.fill(value);
  }
  // The page is drawn a frame after the click: until then the call before stands where this one will.
  const newest = (): Promise<string | undefined> =>
    page.locator(".call").evaluateAll(([first]) => first?.getAttribute("data-call") ?? undefined);
  const before = await newest();
  await page.getByRole("button", { name: "Call", exact: true }).click();
  await eventually(async () => {
    const now = await newest();
    expect(now).toBeDefined();
    expect(now).not.toBe(before);
  });
}

/** What came of the last call of the tool that was picked, which has ended so. */
export async function outcome({ page }: User, word: string): Promise<Locator> {
  const last = page.locator(".call").first();
  await last
    .locator(".tag", { hasText: new RegExp(`^${word}$`) })
    .first()
    .waitFor();
  return last;
}

/** Calls a tool and waits for its text. */
export async function call(
  user: User,
  tool: string,
  args: Record<string, string>,
  text: string,
): Promise<void> {
  await pick(user, tool);
  await callPicked(user, args);
  await (await outcome(user, "ok")).getByText(text, { exact: true }).waitFor();
}

/** The kinds and texts of the timeline, in order. */
const moments = ({ page }: User): Promise<string[]> =>
  page
    .locator("#timeline li")
    .evaluateAll((items) =>
      items.map((item) => `${item.className}: ${item.querySelector(".what")?.textContent ?? ""}`),
    );

/** The `of` are in the timeline, in this order, whatever is between them. */
export async function inOrder(user: User, of: readonly RegExp[]): Promise<void> {
  await eventually(async () => {
    const seen = await moments(user);
    let at = -1;
    for (const one of of) {
      at = seen.findIndex((text, index) => index > at && one.test(text));
      expect(at, `${one} in ${JSON.stringify(seen)}`).toBeGreaterThanOrEqual(0);
    }
  });
}

/** As an operator, whom the server knows by another header than its clients. */
export async function signIn({ page }: User): Promise<void> {
  await page.locator(".operate").getByLabel("Authorization").fill("Bearer operator");
  await page.getByRole("table").first().waitFor();
}

export function testConsole(browser: () => Browser, server: Mortal): void {
  describe("the console, driven by hand", () => {
    const open = (): Promise<User> => visit(browser(), `${server.url}/test`);

    test("calls a tool by its form, answers its question, watches its progress, and goes on through a SIGKILL", async () => {
      const user = await open();
      const { page, problems } = user;
      const session = await user.connect();
      await page.locator("code.session", { hasText: session.slice(0, 12) }).waitFor();

      await call(user, "counter", { by: "41" }, "41");

      await pick(user, "test_elicitation");
      await callPicked(user, { message: "Who is there?" });
      const dialog = page.getByRole("dialog", { name: "The server asks you" });
      await dialog.getByText("Who is there?").waitFor();
      await dialog.getByLabel(/^username/).fill("ada");
      await dialog.getByLabel(/^email/).fill("ada@example.com");
      await dialog.getByRole("button", { name: "Submit" }).click();
      const answered = await outcome(user, "ok");
      await answered
        .getByText('action=accept, content={"username":"ada","email":"ada@example.com"}')
        .waitFor();
      expect(await dialog.count()).toBe(0);

      await pick(user, "sleep");
      await callPicked(user, { ms: "600000", steps: "6000" });
      const progress = page.getByRole("progressbar", { name: "Progress of sleep" });
      await eventually(async () =>
        expect(await progress.evaluate((bar) => (bar as HTMLProgressElement).value)).toBeGreaterThan(2),
      );
      expect(await progress.evaluate((bar) => (bar as HTMLProgressElement).max)).toBe(6000);
      await user.click("Cancel call");
      await outcome(user, "cancelled");

      // A call in flight ends with the one error that says so.
      await callPicked(user, { ms: "600000", steps: "6000" });
      await progress.waitFor();
      await server.kill();
      await user.status("Reconnecting");
      await server.restart();
      await user.status("Connected");
      await (await outcome(user, "error")).getByText('"interrupted"').waitFor();
      await call(user, "counter", { by: "1" }, "42");

      await inOrder(user, [
        /^answer: .*counter → 41/,
        /^answer: .*test_elicitation → User response/,
        /^cancel: .*sleep/,
        /^drop: .*connection lost.*standalone stream/,
        /^redial: /,
        /^resume: .*resumed from \S+ after [\d.]+ s.*standalone stream/,
        /^answer: .*counter → 42/,
      ]);
      await inOrder(user, [/^drop: .*sleep/, /^resume: .*sleep/, /^error: .*sleep: /]);
      await page.getByText("0 lost").waitFor();
      await page.getByText("0 doubled").waitFor();
      // A server that is killed is what the browser itself complains of.
      expect(problems.filter((problem) => !problem.includes("net::ERR_"))).toEqual([]);
    });

    test("a connection that is cut comes back to where it was, or to where it is told", async () => {
      const user = await open();
      const { page } = user;
      const headers = { "Mcp-Session-Id": await user.connect() };
      await user.entry("status", "standalone stream is open");
      const heard = async (events: number): Promise<void> => {
        await page.locator(".sums", { hasText: `${events} events` }).waitFor();
        await page.locator(".sums", { hasText: "0 lost" }).waitFor();
        await page.locator(".sums", { hasText: "0 doubled" }).waitFor();
      };
      await user.click("Send 100 events");
      await heard(100);
      await user.click("Cut the connection");
      await user.status("Cut");
      await post(`${server.url}/mcp`, toolCall("emit", { count: 7, on: "standalone" }), headers);
      await user.click("Resume from here");
      await user.status("Connected");
      await heard(107);
      await inOrder(user, [/^event: event ×100/, /^cut: /, /^resume: /, /^event: event ×7/]);

      // Event ids count in base 36: the last one is the 107th.
      const last = page.locator("#timeline li.event .id").last();
      const id = (await last.getAttribute("aria-label"))?.replace("Resume from event ", "") ?? "";
      expect(id).toMatch(/\.2z$/);
      await last.click();
      const from = page.getByLabel("Event to resume from");
      await eventually(async () => expect(await from.inputValue()).toBe(id));
      await from.fill(id.replace(/2z$/, "2p"));
      await user.click("Resume from here");
      await heard(117);
    });

    test("ends the session", async () => {
      const user = await open();
      const session = await user.connect();
      await user.click("End the session");
      await user.status("Disconnected");
      await user.entry("status", "DELETE: 204");
      await inOrder(user, [/^end: /]);
      const answer = await post(`${server.url}/mcp`, toolCall("counter"), { "Mcp-Session-Id": session });
      expect(answer.status).toBe(404);
    });

    test.each(["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])(
      "speaks %s: lists, calls, questions, and prompts and resources besides",
      async (version) => {
        const user = await open();
        const { page } = user;
        await page.getByLabel("Era").selectOption(version);
        await user.click("Connect");
        await user.status("Connected");
        await call(user, "echo", { text: "héllo" }, "héllo");
        await pick(user, "ask");
        await callPicked(user, { message: "Well?" });
        const dialog = page.getByRole("dialog");
        await dialog.getByLabel(/^answer/).fill("yes");
        await dialog.getByRole("button", { name: "Submit" }).click();
        const given = await outcome(user, "ok");
        await given.locator(".code", { hasText: '"answer": "yes"' }).waitFor();

        await user.click("Send Ping");
        await user.entry("response", "jsonrpc");
        await page.getByRole("searchbox", { name: "Search" }).fill("");
        await page.getByRole("button", { name: /^Resources/ }).click();
        await page.getByRole("button", { name: /^static-text/ }).click();
        await user.click("Read");
        await (
          await outcome(user, "ok")
        )
          .getByText("This is the content of the static text resource.")
          .waitFor();
        await page.getByRole("button", { name: /^template/ }).click();
        await page.locator("form.schema").getByLabel(/^id/).fill("17");
        await user.click("Read");
        await (await outcome(user, "ok")).locator(".code", { hasText: "Data for ID: 17" }).waitFor();
        await page.getByRole("button", { name: /^Prompts/ }).click();
        await page.getByRole("button", { name: /^test_simple_prompt/ }).click();
        await user.click("Get");
        await outcome(user, "ok");
        await user.click("Disconnect");
        await user.status("Disconnected");
      },
    );

    test("follows a call that became a task: until its result, with its questions, and to its cancellation", async () => {
      const user = await open();
      const { page } = user;
      await page.getByLabel("Era").selectOption("2026-07-28");
      await user.click("Connect");
      await user.status("Connected");
      const task = page.locator(".call .doing", { hasText: "Task" });

      await pick(user, "slow_compute");
      await callPicked(user, { seconds: "3", label: "pi" });
      await task.getByText("working").waitFor();
      await (await outcome(user, "ok")).getByText("computed pi in 3 s").waitFor();

      await pick(user, "confirm_delete");
      await callPicked(user, { filename: "a.txt" });
      const dialog = page.getByRole("dialog", { name: "The server asks you" });
      await dialog.getByLabel(/^confirm/).selectOption("true");
      await dialog.getByRole("button", { name: "Submit" }).click();
      await (await outcome(user, "ok")).getByText(/a\.txt/).waitFor();

      await pick(user, "failing_job");
      await callPicked(user);
      await (await outcome(user, "tool error")).getByText("the job has failed").waitFor();
      await pick(user, "protocol_error_job");
      await callPicked(user);
      await outcome(user, "error");

      await pick(user, "slow_compute");
      await callPicked(user, { seconds: "600", label: "e" });
      await task.getByText("working").waitFor();
      await user.click("Cancel call");
      await outcome(user, "cancelled");
      await user.entry("sent", '"tasks/cancel"');
      await inOrder(user, [/slow_compute is a task now/, /the task of slow_compute has ended/]);
    });

    test("stands in for the model, and names roots", async () => {
      const user = await open();
      const { page } = user;
      await user.connect();
      await pick(user, "test_sampling");
      await callPicked(user, { prompt: "2 + 2?" });
      const sampling = page.getByRole("dialog", { name: "The server asks your model" });
      await sampling.getByText("2 + 2?").waitFor();
      await sampling.getByLabel("Answer in the model's place").fill("4");
      await sampling.getByRole("button", { name: "Send" }).click();
      await (await outcome(user, "ok")).getByText("LLM response: 4").waitFor();

      await pick(user, "test_input_required_result_list_roots");
      await callPicked(user);
      const roots = page.getByRole("dialog", { name: "The server asks for your roots" });
      await roots.getByLabel("Roots, one URI a line").fill("file:///a\nfile:///b");
      await roots.getByRole("button", { name: "Send" }).click();
      await (await outcome(user, "ok")).getByText("Roots: file:///a, file:///b").waitFor();
    });

    test("shows pictures, sounds and resources as such", async () => {
      const user = await open();
      const { problems } = user;
      await user.connect();
      await pick(user, "test_multiple_content_types");
      await callPicked(user);
      const shown = await outcome(user, "ok");
      const picture = shown.getByRole("img", { name: "Picture of the result, image/png" });
      await eventually(async () =>
        expect(await picture.evaluate((img) => (img as HTMLImageElement).naturalWidth)).toBe(1),
      );
      await shown.locator(".json", { hasText: '"value": 123' }).waitFor();
      await pick(user, "test_audio_content");
      await callPicked(user);
      await (await outcome(user, "ok")).getByLabel("Sound, audio/wav").waitFor();
      await pick(user, "test_error_handling");
      await callPicked(user);
      await (await outcome(user, "tool error")).getByText('The tool "test_error_handling" failed').waitFor();
      expect(problems).toEqual([]);
    });

    test("can be driven by the keyboard alone", async () => {
      const user = await open();
      const { page } = user;
      const press = async (name: string): Promise<void> => {
        await page.getByRole("button", { name, exact: true }).focus();
        await page.keyboard.press("Enter");
      };
      await press("Connect");
      await user.status("Connected");
      await page.getByRole("searchbox", { name: "Search" }).focus();
      await page.keyboard.type("test_elicitation");
      await page.locator(".offers li:first-child", { hasText: "test_elicitation" }).waitFor();
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page
        .locator("form.schema")
        .getByLabel(/^message/)
        .focus();
      await page.keyboard.type("Well?");
      await press("Call");
      const dialog = page.getByRole("dialog");
      await dialog.waitFor();
      // The dialog has the focus, and nothing behind it can take it.
      for (let presses = 0; presses < 12; presses++) {
        const isInside = await page.evaluate(() => {
          const { activeElement } = document;
          return activeElement === document.body || activeElement?.closest("dialog") !== null;
        });
        expect(isInside).toBe(true);
        await page.keyboard.press("Tab");
      }
      await page.keyboard.press("Escape");
      await (await outcome(user, "ok")).getByText("action=cancel", { exact: false }).waitFor();
    });

    test("can be used by who hears it: by names and roles, with the keyboard alone, and told how calls go", async () => {
      const user = await open();
      const { page } = user;
      /** Tab by tab, as far as it takes, to what has this role and name in the accessibility tree. */
      const reach = async (
        role: "button" | "searchbox" | "spinbutton",
        name: string | RegExp,
      ): Promise<void> => {
        const wanted = page.getByRole(role, { name, exact: true }).first();
        await wanted.waitFor();
        for (let presses = 0; presses < 250; presses++) {
          if (await wanted.evaluate((element) => element === document.activeElement)) return;
          await page.keyboard.press("Tab");
        }
        throw new Error(`${role} ${String(name)} cannot be reached by Tab`);
      };
      const press = async (name: string | RegExp): Promise<void> => {
        await reach("button", name);
        await page.keyboard.press("Enter");
      };
      /** All that the live regions have said of calls. */
      const said = await page.evaluateHandle(() => {
        const region = document.querySelector('[role="status"][aria-label="Last call"]');
        const heard: string[] = [];
        const note = (): void => void heard.push(region?.textContent ?? "");
        if (region !== null)
          new MutationObserver(note).observe(region, { childList: true, characterData: true, subtree: true });
        return heard;
      });
      const answered = page.waitForResponse((response) => "mcp-session-id" in response.headers());
      await press("Connect");
      await page.getByRole("status", { name: "Status" }).getByText("Connected").waitFor();
      const session = (await answered).headers()["mcp-session-id"] ?? "";
      // Drive: find a tool, fill its form, hear how it goes.
      await reach("searchbox", "Search");
      await page.keyboard.type("sleep");
      await press(/^sleep/);
      await reach("spinbutton", /^ms/);
      await page.keyboard.press("ControlOrMeta+a");
      await page.keyboard.type("1200");
      await reach("spinbutton", /^steps/);
      await page.keyboard.press("ControlOrMeta+a");
      await page.keyboard.type("4");
      await press("Call");
      await page.getByRole("status", { name: "Last call" }).getByText("sleep: ok").waitFor();
      const words = (await said.jsonValue()).filter((text) => text !== "");
      expect(words[0]).toBe("sleep: running");
      expect(words.some((text) => /^sleep: (25|50|75) %$/.test(text))).toBe(true);
      expect(words.length).toBeLessThanOrEqual(5);
      // The session's life: cut, and come back.
      await press("Cut the connection");
      await page.getByRole("status", { name: "Status" }).getByText("Cut").waitFor();
      await press("Resume from here");
      await page.getByRole("status", { name: "Status" }).getByText("Connected").waitFor();
      // Operate: refused, let in, one session, its end.
      await press("Operate");
      await page.getByText("The server asks who you are").waitFor();
      await page.locator(".operate").getByRole("textbox", { name: "Authorization" }).focus();
      await page.keyboard.type("Bearer operator");
      await press(session.slice(0, 12));
      await page.getByRole("article", { name: "Session" }).getByRole("heading", { name: session }).waitFor();
      await press("End this session");
      await page.getByRole("button", { name: session.slice(0, 12) }).waitFor({ state: "detached" });
      // Whatever can be used has a name.
      const nameless =
        /^\s*- (button|textbox|searchbox|combobox|checkbox|link|progressbar)( \[[^\]]*\])*:?$/m;
      expect(await page.locator("body").ariaSnapshot()).not.toMatch(nameless);
    });

    test("shows operators every session, what goes on in one, and ends it", async () => {
      const user = await open();
      const { page, problems } = user;
      const session = await user.connect();
      await pick(user, "sleep");
      await callPicked(user, { ms: "600000", steps: "600" });
      await page.getByRole("progressbar", { name: "Progress of sleep" }).waitFor();
      const other = await openSession(server.url);
      await page.getByRole("navigation").getByRole("button", { name: "Operate" }).click();
      await page.getByText("The server asks who you are").waitFor();
      await signIn(user);
      const row = (id: string): Locator => page.getByRole("row").filter({ hasText: id.slice(0, 12) });
      await row(other.id).getByText("2025-11-25").waitFor();
      await row(session).getByText("holdfast-console").waitFor();
      await row(session).getByRole("button").click();
      const detail = page.getByRole("article", { name: "Session" });
      await detail.getByRole("cell", { name: "standalone" }).waitFor();
      await detail.getByRole("group", { name: "calls" }).getByRole("cell", { name: "sleep" }).waitFor();
      await detail.getByRole("button", { name: "End this session" }).click();
      await row(session).waitFor({ state: "detached" });
      await row(other.id).waitFor();
      const answer = await post(`${server.url}/mcp`, toolCall("counter"), { "Mcp-Session-Id": session });
      expect(answer.status).toBe(404);
      // A question without the operator's token, and a stream whose session was ended under it.
      expect(problems.filter((problem) => !/status of 40[14]/.test(problem))).toEqual([]);
    });
  });
}
