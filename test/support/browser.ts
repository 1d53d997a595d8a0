/** A real browser, on loopback alone. @module */
import sparticuz from "@sparticuz/chromium";
import { type Browser, chromium, type Page } from "playwright-core";
import { onTestFinished } from "vitest";

/** Whatever ends in this is 127.0.0.1: names for origins that are not the server's and not localhost. */
export const PAGE_DOMAIN = "example";

/**
 * Not the arguments that `@sparticuz/chromium` proposes: they switch off the same-origin policy, and with it
 * everything that tests of CORS are about.
 */
const ARGS = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-domain-reliability",
  "--disable-gpu",
  "--disable-sync",
  "--no-first-run",
  "--no-pings",
  `--host-resolver-rules=MAP *.${PAGE_DOMAIN} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
];

/** Chromium as npm brings it where there is a build of it; elsewhere the Chrome that is installed. */
export async function launchBrowser(): Promise<Browser> {
  const isShipped = process.platform === "linux" && process.arch === "x64";
  const where = isShipped ? { executablePath: await sparticuz.executablePath() } : { channel: "chrome" };
  return chromium.launch({ ...where, args: ARGS, headless: true });
}

/** A page, and what went on in it. */
export interface WatchedPage {
  readonly page: Page;
  /** Errors and warnings of the console (violations of the content security policy are), and what scripts threw. */
  readonly problems: string[];
  /** Every request that it made, in order. */
  readonly requests: { readonly method: string; readonly url: string; readonly body: string | null }[];
}

/** A page in a profile of its own, which outlives the page, as a user's does; ended with the test. */
export async function openPage(browser: Browser): Promise<WatchedPage> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const watched: WatchedPage = { page, problems: [], requests: [] };
  page.on("console", (line) => {
    if (["error", "warning"].includes(line.type())) watched.problems.push(line.text());
  });
  page.on("pageerror", (error) => watched.problems.push(String(error)));
  page.on("request", (request) =>
    watched.requests.push({ method: request.method(), url: request.url(), body: request.postData() }),
  );
  return watched;
}
