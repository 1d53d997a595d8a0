/** What only a browser can tell. One file, so that there is one browser, and its binary is unpacked by one process. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { testAccessible } from "./accessible.ts";
import { testCrossOrigin } from "./cross-origin.ts";
import { testEventSource } from "./event-source.ts";
import { testGapsAndDeploys, testHostile } from "./hostile.ts";
import { type Pages, servePages } from "./pages.ts";
import { testClusterColumn, testHostileLog, testOperate } from "./operate.ts";
import { testStart } from "./start.ts";
import { testConsole } from "./console.ts";
import { testMounts, testParser, testConsolePage } from "./console-page.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());
const launched = (): Browser => browser;

// Before the servers: an origin is allowed by name and port.
const pages: Pages = await servePages();
afterAll(() => pages.close());

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, {
    HOLDFAST_ALLOWED_ORIGINS: pages.allowed,
    HOLDFAST_LOG_LEVEL: "debug",
    HOLDFAST_RETRY_MS: "100",
    HOLDFAST_CONSOLE: "1",
    TEST_ADMIN: "on",
    TEST_SESSIONS: "on",
  });
  testConsolePage(launched, server);
  testConsole(launched, server);
  if (host.name === "node") testAccessible(launched, server);
  testOperate(launched, server);
  testCrossOrigin(launched, server, pages);
  testEventSource(launched, host, pages);
});

testMounts(launched);
testParser(launched);
testHostile(launched);
testHostileLog(launched);
testClusterColumn(launched);
testGapsAndDeploys(launched);
testStart(launched);
