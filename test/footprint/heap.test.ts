/** What a client can make a process keep, in a process that has little memory. */
import { statSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { inspect } from "../support/back-door.ts";
import { type McpSession, openSession, post } from "../support/mcp.ts";
import { initialize, LATEST, request, toolCall } from "../support/messages.ts";
import { headersFor, modernRequest } from "../support/modern.ts";
import { NODE } from "../support/node.ts";
import { type ProcessServer, startProcess } from "../support/process.ts";
import { KNOWS_TASKS } from "../support/tasks.ts";

const MEGABYTE = 1_000_000;
/** Those who open sessions at the same time. */
const CLIENTS = 50;

/** Half of what a small machine gives, and half of what would fill it many times over. */
describe("with a heap of 128 MB", () => {
  let server: ProcessServer;
  beforeEach(async () => {
    // As docs/local.md says of so small a heap.
    server = await startProcess([...NODE, "--max-old-space-size=128", "--max-semi-space-size=16"], {
      vars: { HOLDFAST_LOG_LEVEL: "error", HOLDFAST_MAX_SESSION_BYTES: "67108864" },
    });
  });
  afterEach(() => server.close());

  const fileMegabytes = (): number => statSync(server.database).size / MEGABYTE;

  const isWell = async (session: McpSession): Promise<void> => {
    expect(await session.tool("echo", { text: "well" })).toBe("well");
    expect(server.lines.filter((line) => line.includes("FATAL"))).toEqual([]);
  };

  test("100 answers of 7.5 MB that nobody reads are kept as far as there is room for them", async () => {
    const session = await openSession(server.url);
    for (let n = 0; n < 100; n++) {
      const controller = new AbortController();
      const call = toolCall("bulk", { size: 7.5 * MEGABYTE, ms: 150 }, { id: `bulk ${n}` });
      const answer = await session.post(call, {}, controller.signal);
      expect(answer.status).toBe(200);
      // Nobody reads: the client leaves before the answer is there.
      controller.abort();
      await answer.body?.cancel().catch(() => {});
    }
    // It takes longer than what is left of the others.
    await session.request(toolCall("bulk", { size: 1, ms: 1000 }));
    // `maxSessionBytes`, a tenth more, and what SQLite keeps free of it.
    expect(fileMegabytes()).toBeLessThan(150);
    await isWell(session);
  }, 120_000);

  test("subscriptions of 4 MB each are refused", async () => {
    const session = await openSession(server.url);
    for (let n = 0; n < 60; n++) {
      const uri = `test://${n}/${"u".repeat(4 * MEGABYTE)}`;
      const { error } = await session.request(request("resources/subscribe", { uri }));
      expect(error?.code).toBeLessThanOrEqual(-32600);
    }
    const { tables } = await inspect(server.url, session.id);
    expect(tables["entry"]?.filter(({ kind }) => kind === "sticky")).toEqual([]);
    expect(fileMegabytes()).toBeLessThan(10);
    await isWell(session);
  }, 120_000);
});

test("20,000 sessions that are opened and left are all served, as many in memory as fit, with a heap of 256 MB", async () => {
  const server = await startProcess([...NODE, "--max-old-space-size=256", "--expose-gc"], {
    // One tool: with thirty, most of the time would be the SDK's, registering them.
    entry: new URL("large-main.ts", import.meta.url).pathname,
    vars: { HOLDFAST_LOG_LEVEL: "error" },
  });
  onTestFinished(() => server.close());
  const session = await openSession(server.url);
  const statuses = new Map<number, number>();
  const client = async (): Promise<void> => {
    for (let n = 0; n < 20_000 / CLIENTS; n++) {
      const answer = await post(`${server.url}/mcp`, initialize(LATEST));
      await answer.text();
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  expect([...statuses]).toEqual([[200, 20_000]]);
  const { inMemory, collections } = (await (await fetch(`${server.url}/memory`)).json()) as {
    inMemory: number;
    collections: number;
  };
  // Small as they are, more than the 512 that were foreseen.
  expect(inMemory).toBeGreaterThan(1000);
  expect(inMemory).toBeLessThan(12_000);
  // With half of the heap in use one follows the other, some hundred in all; some twenty where it is a little less.
  expect(collections).toBeLessThan(50);
  expect(await session.request(request("ping"))).toHaveProperty("result");
}, 180_000);

test("calls that run on, each with 4 MB that are 85 MB as objects, are turned away, with a heap of 384 MB", async () => {
  const server = await startProcess([...NODE, "--max-old-space-size=384"], {
    vars: { HOLDFAST_LOG_LEVEL: "error" },
  });
  onTestFinished(() => server.close());
  const session = await openSession(server.url);
  const big = `[${"{},".repeat(1_390_000)}{}]`;
  const text = (message: object): string => JSON.stringify(message).replace('"@"', big);
  const call = (name: string): ReturnType<typeof toolCall> => toolCall(name, { tag: "big", big: "@" });
  const modern = (name: string): ReturnType<typeof modernRequest> =>
    modernRequest("tools/call", call(name).params, undefined, KNOWS_TASKS);
  const sends = [
    () => session.post(text(call("hang"))),
    () => post(`${server.url}/mcp`, text(call("hang"))),
    () => sendModern("hang"),
    () => sendModern("task_hang"),
  ];
  const sendModern = (name: string): Promise<Response> => {
    const message = modern(name);
    return post(`${server.url}/mcp`, text(message), headersFor(message));
  };
  for (let n = 0; n < 16; n++) {
    const answer = await sends[n % sends.length]?.();
    expect([200, 503]).toContain(answer?.status);
  }
  expect(await session.tool("echo", { text: "well" })).toBe("well");
  expect(server.lines.filter((line) => line.includes("FATAL"))).toEqual([]);
}, 120_000);

test("clients whose streams stand open are let in as long as the heap has room, not as many as were foreseen", async () => {
  const server = await startProcess([...NODE, "--max-old-space-size=256"], {
    entry: new URL("../../examples/server/node.ts", import.meta.url).pathname,
    vars: { HOLDFAST_LOG_LEVEL: "error" },
  });
  onTestFinished(() => server.close());
  // Foreseen are 512, at half a megabyte each: the example takes a third of that or less, and 600 are well below what fits.
  const streams: Response[] = [];
  const open = async (): Promise<Response> => (await openSession(server.url)).fetch("GET");
  for (let round = 0; round < 30; round++)
    streams.push(...(await Promise.all(Array.from({ length: 20 }, open))));
  expect(new Set(streams.map(({ status }) => status))).toEqual(new Set([200]));
  await Promise.all(streams.map(({ body }) => body?.cancel()));
}, 60_000);
