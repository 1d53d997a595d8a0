/** How long a dropped stream waits before it is asked for again, and how often it is. */
import { afterEach, describe, expect, test, vi } from "vitest";
import type { RecoveringFetchOptions } from "../../src/client/index.ts";
import { dropping, opened, QUICK, refuse } from "./support/lasting-stream.ts";
import { readMessages } from "./support/raw-session.ts";
import type { Answer, Script } from "./support/script.ts";
import { log, PRIMING } from "./support/stream-messages.ts";

afterEach(() => vi.useRealTimers());

describe("pace", () => {
  /** A call that is dropped at once; `get` answers the attempts to resume it. */
  async function dropped(first: string, get: Answer, options: RecoveringFetchOptions): Promise<Script> {
    vi.useFakeTimers();
    const { script, session } = await opened(dropping(first, get), options);
    const response = await session.call("tools/call");
    void readMessages(response).rest();
    await vi.advanceTimersByTimeAsync(0);
    return script;
  }

  test("the server's retry is waited for, to the end", async () => {
    const retry = { ...QUICK, jitter: 0 };
    const script = await dropped("id: 1\nretry: 40000\ndata: \n\n", refuse, { retry });
    await vi.advanceTimersByTimeAsync(39_999);
    expect(script.of("GET")).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(script.of("GET")).toHaveLength(1);
  });

  test("and is the least of the waits that follow", async () => {
    const retry = { initialDelayMs: 1000, factor: 2, maxDelayMs: 30_000, jitter: 0 };
    const script = await dropped("id: 1\nretry: 3000\ndata: \n\n", refuse, { retry });
    for (const [index, ms] of [3000, 3000, 4000, 8000, 16_000].entries()) {
      await vi.advanceTimersByTimeAsync(ms - 1);
      expect(script.of("GET")).toHaveLength(index);
      await vi.advanceTimersByTimeAsync(1);
      expect(script.of("GET")).toHaveLength(index + 1);
    }
  });

  test("one that is longer than any timer is not cut short", async () => {
    const script = await dropped("id: 1\nretry: 99999999999\ndata: \n\n", refuse, {});
    await vi.advanceTimersByTimeAsync(86_400_000);
    expect(script.of("GET")).toHaveLength(0);
  });

  test("without it: 1, 2, 4 s, then an error after 3", async () => {
    const retry = { attempts: 3, initialDelayMs: 1000, factor: 2, maxDelayMs: 30_000, jitter: 0 };
    const script = await dropped(PRIMING, refuse, { retry });
    for (const [ms, attempts] of [
      [999, 0],
      [1, 1],
      [1999, 1],
      [1, 2],
      [3999, 2],
      [1, 3],
      [60_000, 3],
    ] as const) {
      await vi.advanceTimersByTimeAsync(ms);
      expect(script.of("GET")).toHaveLength(attempts);
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    ["attempts", { attempts: 1 }, [1000]],
    ["initialDelayMs", { initialDelayMs: 10 }, [10, 20, 40, 80, 160]],
    ["factor", { factor: 3 }, [1000, 3000, 9000, 27_000, 30_000]],
    ["maxDelayMs", { maxDelayMs: 3000 }, [1000, 2000, 3000, 3000, 3000]],
    ["nothing", {}, [1000, 2000, 4000, 8000, 16_000]],
  ])("%s given: waits as documented", async (_, given, waits) => {
    const script = await dropped(PRIMING, refuse, { retry: { jitter: 0, ...given } });
    for (const [index, ms] of waits.entries()) {
      await vi.advanceTimersByTimeAsync(ms - 1);
      expect(script.of("GET")).toHaveLength(index);
      await vi.advanceTimersByTimeAsync(1);
      expect(script.of("GET")).toHaveLength(index + 1);
    }
    await vi.advanceTimersByTimeAsync(600_000);
    expect(script.of("GET")).toHaveLength(waits.length);
  });

  test("chance makes a wait longer by up to the jitter, never shorter", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const script = await dropped(PRIMING, refuse, { retry: { jitter: 1 } });
    await vi.advanceTimersByTimeAsync(1499);
    expect(script.of("GET")).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(script.of("GET")).toHaveLength(1);
    vi.mocked(Math.random).mockRestore();
  });

  describe("of a server whose streams end at once", () => {
    const brief = (body: string) => (): Response =>
      new Response(body, { headers: { "content-type": "text/event-stream" } });
    const hurry = "id: 1\nretry: 0\ndata: \n\n";

    test("no wish of the server's is shorter than 100 ms, and what brings nothing is asked for ever less often", async () => {
      const script = await dropped(hurry, brief(hurry), { retry: { ...QUICK, jitter: 0 } });
      for (const [index, ms] of [100, 200, 400, 800, 1600, 3200, 3200].entries()) {
        await vi.advanceTimersByTimeAsync(ms - 1);
        expect(script.of("GET")).toHaveLength(index);
        await vi.advanceTimersByTimeAsync(1);
        expect(script.of("GET")).toHaveLength(index + 1);
      }
    });

    test("an event to resume from is not progress, a message is", async () => {
      const message = `id: 2\ndata: ${JSON.stringify(log("progress"))}\n\n`;
      const script = await dropped(hurry, brief(message), { retry: { ...QUICK, jitter: 0 } });
      await vi.advanceTimersByTimeAsync(10_000);
      // Each brings something, so the pace stays; and it is the least that there is.
      expect(script.of("GET")).toHaveLength(100);
    });

    test("the pace at which a server has its client poll is kept", async () => {
      const poll = "id: 1\nretry: 3000\ndata: \n\n";
      const script = await dropped(poll, brief(poll), { retry: { ...QUICK, jitter: 0 } });
      await vi.advanceTimersByTimeAsync(60_000);
      expect(script.of("GET").length).toBeGreaterThanOrEqual(18);
    });
  });
});
