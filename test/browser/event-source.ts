/** HTTP+SSE (2024-11-05) with the browser's own EventSource, across origins. @module */
import type { Browser, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { type Mortal, mortal } from "../support/hosts.ts";
import {
  initialize,
  type Message,
  notification,
  numbersOf,
  textOf,
  toolCall,
  upTo,
} from "../support/messages.ts";
import type { Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";
import { visit } from "./cross-origin.ts";
import type { Pages } from "./pages.ts";

interface Legacy {
  readonly page: Page;
  send(message: Message): Promise<void>;
  /** All messages up to now. */
  messages(): Promise<Message[]>;
  answer(call: Message): Promise<Message>;
}

async function open(browser: Browser, { url }: Mortal, origin: string): Promise<Legacy> {
  const page = await visit(browser, origin);
  const OPEN = 1;
  expect(await page.evaluate((at) => lab.listenToEvents(at), `${url}/sse`)).toBe(OPEN);
  const endpoint = await eventually(async () => {
    const [first] = await page.evaluate(() => lab.endpoints);
    expect(first).toContain(`${url}/messages?sessionId=`);
    return first ?? "";
  });
  const legacy: Legacy = {
    page,
    async send(message) {
      const headers = { "Content-Type": "application/json" };
      const init = { method: "POST", headers, body: JSON.stringify(message) };
      const seen = await page.evaluate(([to, how]) => lab.ask(to, how), [endpoint, init] as const);
      expect(seen).toMatchObject({ status: 202 });
    },
    messages: async () =>
      (await page.evaluate(() => lab.messages)).map((data) => JSON.parse(data) as Message),
    answer: (call) =>
      eventually(async () => {
        const answer = (await legacy.messages()).find(({ id }) => id === call.id);
        if (answer === undefined) throw new Error(`no answer to ${JSON.stringify(call)}`);
        return answer;
      }),
  };
  const first = initialize("2024-11-05");
  await legacy.send(first);
  expect((await legacy.answer(first)).result).toMatchObject({ protocolVersion: "2024-11-05" });
  await legacy.send(notification("notifications/initialized"));
  return legacy;
}

const call = async (legacy: Legacy, name: string, args: Record<string, unknown> = {}): Promise<unknown> => {
  const message = toolCall(name, args);
  await legacy.send(message);
  return textOf(await legacy.answer(message));
};

export function testEventSource(browser: () => Browser, host: Subject, pages: Pages): void {
  describe("a browser's EventSource", () => {
    // It drops every connection soon.
    const server = mortal(host, {
      HOLDFAST_ALLOWED_ORIGINS: pages.allowed,
      HOLDFAST_MAX_STREAM_MS: "500",
      HOLDFAST_RETRY_MS: "50",
    });

    test("comes back by itself when the server drops the connection: nothing is lost or doubled", async () => {
      const legacy = await open(browser(), server, pages.allowed);
      const { page } = legacy;
      const COUNT = 100;
      const expected: number[] = [];
      do {
        expected.push(...upTo(COUNT));
        await call(legacy, "emit", { count: COUNT, intervalMs: 10, on: "standalone" });
        await eventually(async () =>
          expect(numbersOf(await legacy.messages()).length).toBeGreaterThanOrEqual(expected.length),
        );
      } while ((await page.evaluate(() => lab.opened)) < 3);
      expect(numbersOf(await legacy.messages())).toEqual(expected);
      // It was told the same endpoint again: this is the same session, and not one more.
      expect(new Set(await page.evaluate(() => lab.endpoints)).size).toBe(1);
      expect(await call(legacy, "echo", { text: "after" })).toBe("after");
      await page.evaluate(() => lab.stopEvents());
    });

    test("comes back by itself to its session when the server was killed", async () => {
      const legacy = await open(browser(), server, pages.allowed);
      const { page } = legacy;
      expect(await call(legacy, "counter", { by: 7 })).toBe("7");
      await server.kill();
      const opened = await page.evaluate(() => lab.opened);
      await server.restart();
      await eventually(async () => expect(await page.evaluate(() => lab.opened)).toBeGreaterThan(opened));
      expect(await call(legacy, "counter", { by: 1 })).toBe("8");
      expect(new Set(await page.evaluate(() => lab.endpoints)).size).toBe(1);
      const ids = (await legacy.messages()).map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      await page.evaluate(() => lab.stopEvents());
    });
  });
}
