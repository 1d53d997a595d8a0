/**
 * A token's end, for a client that is slow: what its connection held is not lost. One test at a time, and a file of their own,
 * since nine megabytes are written to somebody who does not read, against the clock.
 */
import { describe, expect, test } from "vitest";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonsOf } from "../support/endings.ts";
import { hosts, type Mortal, mortal } from "../support/hosts.ts";
import { type Message, numbersOf, toolCall, upTo } from "../support/messages.ts";
import { openSession } from "../support/mcp.ts";
import { eventually } from "../support/wait.ts";

/** The messages of all frames that came whole, whether the stream ended or broke. */
async function readWhole(response: Response): Promise<Message[]> {
  let text = "";
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body as ReadableStream<Uint8Array>)
      text += decoder.decode(chunk, { stream: true });
  } catch {
    // It broke.
  }
  const whole = text.slice(0, text.lastIndexOf("\n\n") + 2);
  return [...whole.matchAll(/^data: (.+)$/gm)].map(([, json]) => JSON.parse(json ?? "") as Message);
}

const AMY = { Authorization: "Bearer amy:1" };
/** Whole seconds, as tokens have them: by default between one and two from now. */
const soon = (seconds = 2): string => String(Math.floor(Date.now() / 1000) + seconds);

describe.each(hosts)("on $name, a client that is slow and has forgotten its place", (host) => {
  const server = mortal(host, {
    TEST_AUTH: "on",
    HOLDFAST_RETRY_MS: "200",
  });
  const impatient = mortal(host, {
    TEST_AUTH: "on",
    HOLDFAST_SEND_TIMEOUT_MS: "1000",
    HOLDFAST_KEEPALIVE_MAX_FAILURES: "2",
  });
  const cutting = mortal(host, {
    TEST_AUTH: "on",
    HOLDFAST_SEND_TIMEOUT_MS: "300",
    HOLDFAST_KEEPALIVE_MAX_FAILURES: "1000",
  });
  /** What it hears before and after its token's end, which comes while it does not read; `stalled` waits until it may. */
  const hear = async (
    on: Mortal,
    size: number,
    stalled: (reasons: () => string[], until: Date) => Promise<unknown>,
  ): Promise<{ before: Message[]; after: Message[]; count: number }> => {
    const session = await openSession(on.url, { headers: AMY });
    const at = on === impatient ? soon(6) : soon();
    const count = Math.ceil(9e6 / size);
    const call = toolCall("burst", { tag: "t", sizes: Array(count).fill(size), on: "request" });
    const standing = await session.fetch("GET", { "X-Expires-At": at });
    const calling = await session.post(call, { "X-Expires-At": at });
    await stalled(() => reasonsOf(on, session), new Date(Number(at) * 1000));
    const before = await readWhole(calling);
    // It may be cut as well.
    await readWhole(standing);
    await session.get();
    const after = await (await session.get()).rest();
    expect(before.length).toBeLessThan(count);
    expect(after.at(-1)).toMatchObject({ id: call.id, result: {} });
    return { before, after, count };
  };
  const until = (at: Date, laterMs: number): Promise<void> => sleep(at.getTime() + laterMs - Date.now());

  // In runs of many, alone, and in slices.
  const sizes = [20_000, 50_000, 150_000];
  test.each(sizes)("gets each message of %i characters once", async (size) => {
    // The call's own stream goes half a second after its token.
    const { before, after, count } = await hear(server, size, (_, at) => until(at, 1500));
    expect(numbersOf([...before, ...after])).toEqual(upTo(count));
  });

  const cuts: [string, () => Mortal, Parameters<typeof hear>[2]][] = [
    [
      "for its token",
      () => cutting,
      async (reasons) => {
        await eventually(() => expect(reasons()).toEqual(["expired", "expired"]));
        await sleep(600);
      },
    ],
    [
      "since it does not read, before its token ran out",
      () => impatient,
      async (reasons, at) => {
        await eventually(() => expect(reasons()).toContain("failures"));
        await until(at, 100);
      },
    ],
  ];
  describe.each(cuts)("cut off %s", (_why, on, stalled) => {
    test.each(sizes)("misses no message of %i characters", async (size) => {
      const { before, after, count } = await hear(on(), size, stalled);
      expect([...new Set(numbersOf([...before, ...after]))]).toEqual(upTo(count));
      // What was in the sockets when it was cut, and no more.
      expect(before.length + after.length - count).toBeLessThan(400_000 / size + 2);
    });
  });
});
