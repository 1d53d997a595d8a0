/** `examples/tasks`, as it stands: a crawl of a hundred pages that is killed three times. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startNode } from "../support/node.ts";
import { taskClient, textIn } from "../support/tasks.ts";
import { unpooledFetch } from "../support/unpooled-fetch.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd, type TestServer } from "../support/workerd.ts";

const PAGES = 100;
const example = (file: string): string => new URL(`../../examples/tasks/${file}`, import.meta.url).pathname;

const HOSTS = [
  { name: "node", start: (): Promise<TestServer> => startNode({ entry: example("node.ts") }) },
  { name: "workerd", start: (): Promise<TestServer> => startWorkerd({ entry: example("worker.ts") }) },
];

/** Pages that were asked for, in order. */
const asked: number[] = [];
const site: Server = createServer(({ url = "" }, response) => {
  const page = Number(url.slice(1));
  asked.push(page);
  // Page n has n words.
  setTimeout(() => response.end("word ".repeat(page)), 20);
});

beforeAll(async () => {
  vi.stubGlobal("fetch", unpooledFetch);
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  site.closeAllConnections();
  site.close();
});

describe.each(HOSTS)("on $name", ({ start }) => {
  test(
    "it counts each page once, and asks for none again that it has noted",
    { timeout: 120_000 },
    async () => {
      asked.length = 0;
      const server = await start();
      try {
        const client = taskClient(() => server.url);
        const { port } = site.address() as AddressInfo;
        const { taskId } = await client.start("crawl", { site: `http://127.0.0.1:${port}`, pages: PAGES });
        const inFlight: number[] = [];
        for (const page of [20, 45, 70]) {
          await eventually(() => expect(asked.at(-1)).toBeGreaterThanOrEqual(page), 30_000);
          await server.kill();
          inFlight.push(asked.at(-1) ?? 0);
          await server.restart();
          expect((await client.get(taskId)).status).toBe("working");
        }
        const task = await client.until(taskId, "completed", 60_000);
        expect(textIn(task)).toBe(`${(PAGES * (PAGES + 1)) / 2} words on ${PAGES} pages, in 4 attempts`);
        const again = asked.filter((page, index) => asked.indexOf(page) !== index);
        // A page is asked for twice only if its answer was on its way as the process died.
        expect(inFlight).toEqual(expect.arrayContaining(again));
        expect(new Set(asked).size).toBe(PAGES);
      } finally {
        await server.close();
      }
    },
  );
});
