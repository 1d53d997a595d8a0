/** 100 MB for a reader that has stopped reading, however they are sent: memory stays flat, and nothing is hidden. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type McpSession, openSession } from "../support/mcp.ts";
import { numbersOf, toolCall } from "../support/messages.ts";
import { type StalledReader, stall } from "../support/stalled-reader.ts";
import type { BurstData } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

const MESSAGES = 400;
const CHARACTERS = 250_000;
/** What may be held for replay. */
const HELD = 8 * 2 ** 20;
/** Windows, SQLite's cache, garbage that V8 has not collected yet. What is sent is more than a hundred. */
const MOST_GROWTH_MIB = 60;

const sizes = Array.from({ length: MESSAGES }, () => CHARACTERS);

describe("a reader that stalls", () => {
  let server: Workerd;
  beforeAll(async () => {
    server = await startWorkerd({
      vars: { HOLDFAST_SEND_TIMEOUT_MS: "1000", HOLDFAST_MAX_STORED_BYTES: String(HELD) },
    });
  });
  afterAll(() => server.close());

  const residentMiB = (): number =>
    Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1]) / 1024;

  /** The most that the process grows by, from here until `done`. */
  const growth = async (what: string, done: () => Promise<void>): Promise<number> => {
    const before = residentMiB();
    let highest = before;
    const sampling = setInterval(() => (highest = Math.max(highest, residentMiB())), 20);
    try {
      await done();
    } finally {
      clearInterval(sampling);
    }
    console.log(
      `${(MESSAGES * CHARACTERS) / 1e6} million characters ${what}: +${Math.round(highest - before)} MiB`,
    );
    return highest - before;
  };

  const closedByTimeout = (): number =>
    server.events().filter(({ type, reason }) => type === "connection.closed" && reason === "failures")
      .length;

  /** Waits until the session has stored the last of what was sent. */
  const settle = async (session: McpSession): Promise<void> => {
    expect(await (await session.post(toolCall("settle"))).text()).toContain("settled");
  };

  /** Resumes, and finds what is still held, in order and to the end, with what is not counted. */
  const comesBack = async (session: McpSession, { lastEventId }: StalledReader): Promise<void> => {
    const stream = await session.get(lastEventId);
    const numbers: number[] = [];
    while (numbers.at(-1) !== MESSAGES) {
      const { params } = await stream.message(({ method }) => method === "notifications/message");
      numbers.push((params as { data: BurstData }).data.n);
    }
    const [first = 0] = numbers;
    expect(numbers).toEqual(Array.from({ length: MESSAGES - first + 1 }, (_, index) => first + index));
    const gaps = stream.seen.flatMap((item) =>
      item.type === "comment" && item.text.startsWith("gap") ? [item.text] : [],
    );
    expect(gaps).toEqual([`gap: ${first - 1} events before this one are no longer held`]);
    expect(numbers.length * CHARACTERS).toBeGreaterThan(HELD / 3);
    stream.leave();
  };

  test("of the standalone stream is closed by the send time-out, and told of the gap as it comes back", async () => {
    const session = await openSession(server.url);
    const closed = closedByTimeout();
    const reader = await stall(`${server.url}/mcp`, {
      headers: { ...session.headers, Accept: "text/event-stream" },
    });
    const grown = await growth("on the standalone stream", async () => {
      await session.tool("burst", { tag: "standalone", sizes, on: "standalone" });
      await settle(session);
    });
    expect(grown).toBeLessThan(MOST_GROWTH_MIB);
    expect(closedByTimeout()).toBe(closed + 1);
    await comesBack(session, reader);
    reader.close();
  }, 90_000);

  test("of a call's stream is closed by the send time-out, and told of the gap as it comes back", async () => {
    const session = await openSession(server.url);
    const closed = closedByTimeout();
    const call = toolCall("burst", { tag: "request", sizes, on: "request" });
    let reader: StalledReader | undefined;
    const grown = await growth("on a call's stream", async () => {
      reader = await stall(`${server.url}/mcp`, {
        method: "POST",
        headers: {
          ...session.headers,
          Accept: "application/json, text/event-stream",
          "Content-Type": "application/json",
        },
        body: JSON.stringify(call),
      });
      await eventually(() => expect(closedByTimeout()).toBe(closed + 1), 30_000);
      await settle(session);
      // The call is not held up by a reader that is gone: its answer is stored.
      const resumed = await session.get(reader.lastEventId);
      const answer = await resumed.message(({ id }) => id === call.id);
      expect(answer.result).toBeDefined();
    });
    expect(grown).toBeLessThan(MOST_GROWTH_MIB);
    reader?.close();
  }, 90_000);

  test("is not waited for by a server that does not wait, and nothing grows for it either", async () => {
    const session = await openSession(server.url);
    const reader = await stall(`${server.url}/mcp`, {
      headers: { ...session.headers, Accept: "text/event-stream" },
    });
    const grown = await growth("from many hands at once", async () => {
      for (let n = 0; n < MESSAGES; n += 20) {
        const bursts = Array.from({ length: 20 }, () =>
          session.tool("burst", { tag: "unpaced", sizes: [CHARACTERS], on: "standalone" }),
        );
        await Promise.all(bursts);
      }
      await settle(session);
    });
    expect(grown).toBeLessThan(MOST_GROWTH_MIB);
    const stream = await session.get(reader.lastEventId);
    await stream.message();
    const missed = /^gap: (\d+) events/.exec(
      stream.seen.flatMap((item) => (item.type === "comment" ? [item.text] : [])).join(),
    )?.[1];
    const rest = await stream.messages(MESSAGES - Number(missed) - 1);
    expect(numbersOf(rest)).toEqual(rest.map(() => 1));
    stream.leave();
    reader.close();
  }, 90_000);
});
