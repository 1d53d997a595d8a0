/** Where no new session can be had, each call gets its error, and the server is left in peace for a while. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { recoveringFetch } from "../../src/client/index.ts";
import { request } from "../support/messages.ts";
import { SDKS } from "./support/clients.ts";
import { logEvents } from "./support/events.ts";
import { named, opened, sessionOf } from "./support/named-session.ts";
import { type RawSession, URL_OF_SCRIPT } from "./support/raw-session.ts";
import { createScript, pass, type Script } from "./support/script.ts";

afterEach(() => vi.useRealTimers());

describe("when it cannot be had", () => {
  const calls = (session: RawSession, count: number): Promise<number[]> =>
    Promise.all(Array.from({ length: count }, async () => (await session.call("tools/list")).status));

  test.each(SDKS)("$name: a 404 that persists is one error for each call, and no loop", async (sdk) => {
    const dead: Script["answer"] = ({ message }) =>
      message?.method === "tools/call" ? new Response(null, { status: 404 }) : pass();
    const script = createScript(dead);
    const events = logEvents();
    const retry = { initialDelayMs: 60_000, maxDelayMs: 60_000 };
    const client = await sdk.connect(
      URL_OF_SCRIPT,
      recoveringFetch({ fetch: script.fetch, retry, onEvent: events.onEvent }),
    );
    await expect(client.call("echo", { text: "x" })).rejects.toThrow(/404|Error POSTing/);
    expect(script.of("tools/call")).toHaveLength(2);
    expect(script.of("initialize")).toHaveLength(2);
    // For a while, no other session is asked for: what a call meets now is the server's plain 404.
    await expect(client.call("echo", { text: "x" })).rejects.toThrow(/404|Error POSTing/);
    expect(script.of("tools/call")).toHaveLength(3);
    expect(script.of("initialize")).toHaveLength(2);
    expect(events.of("recovery-failed")).toHaveLength(1);
    await client.close();
  });

  test("calls that are turned away together count as one failure", async () => {
    const { script, session, events } = await opened(
      { retry: { initialDelayMs: 60_000, maxDelayMs: 600_000 } },
      ({ message }) => (message?.method === "tools/list" ? new Response(null, { status: 404 }) : pass()),
    );
    expect(await calls(session, 10)).toEqual(Array.from({ length: 10 }, () => 404));
    expect(script.of("tools/list")).toHaveLength(20);
    expect(script.of("initialize")).toHaveLength(2);
    expect(events.of("recovery-failed").map(({ retryInMs }) => retryInMs)).toEqual([60_000]);
  });

  test("the 404 is shown, and initialize is not asked for again until the wait is over", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const { script, session, events } = await opened(
      { retry: { initialDelayMs: 1000, maxDelayMs: 30_000 } },
      (given) =>
        given.message?.method === "initialize" && given.n > 1
          ? new Response(null, { status: 503 })
          : named(given),
    );
    script.sessions.clear();
    expect(await calls(session, 10)).toEqual(Array.from({ length: 10 }, () => 404));
    expect(script.of("initialize")).toHaveLength(2);
    expect(events.of("recovery-failed").map(({ retryInMs }) => retryInMs)).toEqual([1000]);
    expect(await calls(session, 10)).toContain(404);
    expect(script.of("initialize")).toHaveLength(2);
    vi.advanceTimersByTime(1000);
    expect(await calls(session, 10)).toContain(404);
    expect(script.of("initialize")).toHaveLength(3);
    expect(events.of("recovery-failed").map(({ retryInMs }) => retryInMs)).toEqual([1000, 2000]);
  });

  test("a server that does not answer is waited for no longer than the limit", async () => {
    const { script, session, events } = await opened({ retry: { timeoutMs: 30 } }, (given) =>
      given.message?.method === "initialize" && given.n > 1 ? new Promise(() => undefined) : named(given),
    );
    script.sessions.clear();
    expect((await session.call("tools/list")).status).toBe(404);
    expect(events.of("recovery-failed")[0]?.cause).toMatchObject({ name: "TimeoutError" });
    expect(script.of("initialize")[1]?.signal?.aborted).toBe(true);
  });

  test.each([401, 403])(
    "a %i is every waiting caller's own to deal with, and does not count as failure",
    async (status) => {
      const { script, session, events } = await opened({}, (given) => {
        const { message, headers } = given;
        const unauthorized =
          message?.method === "initialize" && given.n > 1 && headers.get("authorization") !== "Bearer new";
        return unauthorized
          ? new Response("who are you", {
              status,
              headers: { "www-authenticate": 'Bearer resource_metadata="x"' },
            })
          : named(given);
      });
      script.sessions.clear();
      const refused = await Promise.all([session.call("tools/list"), session.call("prompts/list")]);
      for (const answer of refused) {
        expect([answer.status, await answer.text()]).toEqual([status, "who are you"]);
        expect(answer.headers.get("www-authenticate")).toBe('Bearer resource_metadata="x"');
      }
      expect(script.of("initialize")).toHaveLength(2);
      const headers = { authorization: "Bearer new" };
      expect(await sessionOf(await session.post(request("tools/list"), { headers }))).toBe("session-3");
      expect(events.of("recovery-failed")).toEqual([]);
    },
  );

  test("the one who began it may leave: those who wait begin another", async () => {
    const { script, session } = await opened({}, (given) =>
      given.message?.method === "initialize" && given.n === 2 ? new Promise(() => undefined) : named(given),
    );
    script.sessions.clear();
    const leaving = new AbortController();
    const left = session.post(request("tools/list"), { signal: leaving.signal });
    await script.nth("initialize", 2);
    const stayed = session.call("prompts/list");
    leaving.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    expect(await sessionOf(await stayed)).toBe("session-3");
  });
});
