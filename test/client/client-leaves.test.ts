/** A client that leaves a stream leaves nothing behind: no connection, no wait, no timer. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { recoveringFetch } from "../../src/client/index.ts";
import { SDKS } from "./support/clients.ts";
import { opened } from "./support/lasting-stream.ts";
import { readMessages, URL_OF_SCRIPT } from "./support/raw-session.ts";
import { createScript, openStream, pass, type ScriptStream } from "./support/script.ts";
import { log, PRIMING } from "./support/stream-messages.ts";

afterEach(() => vi.useRealTimers());

describe("a client that leaves", () => {
  test.each(SDKS)("$name: close ends every connection, wait and timer", async (sdk) => {
    vi.useFakeTimers();
    const streams: ScriptStream[] = [];
    const script = createScript((given) => {
      if (given.method !== "GET" && given.message?.method !== "tools/call") return pass();
      if (given.headers.has("last-event-id")) return Promise.reject(new TypeError("fetch failed"));
      const stream = openStream(given.signal);
      stream.write(PRIMING);
      streams.push(stream);
      return stream.response;
    });
    const client = await sdk.connect(URL_OF_SCRIPT, recoveringFetch({ fetch: script.fetch }));
    await vi.advanceTimersByTimeAsync(0);
    const call = client.call("echo").catch(String);
    await vi.advanceTimersByTimeAsync(0);
    // The standalone stream stays open; the call's waits for its next attempt.
    expect(streams).toHaveLength(2);
    streams[1]?.end();
    await vi.advanceTimersByTimeAsync(10);
    const before = script.sent.length;
    await client.close();
    expect(await call).toContain("Connection closed");
    await streams[0]?.cancelled;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(script.sent).toHaveLength(before);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a body that is let go of lets go of its connection", async () => {
    const streams: ScriptStream[] = [];
    const { script, session } = await opened((given) => {
      if (given.method !== "GET") return pass();
      const stream = openStream();
      streams.push(stream);
      return stream.response;
    });
    const response = await session.get();
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    streams[0]?.send(log(1), "1");
    await reader.read();
    await reader.cancel();
    await streams[0]?.cancelled;
    expect(script.of("GET")).toHaveLength(1);
  });

  test("a signal that aborts while a resume is under way ends it", async () => {
    const { script, session } = await opened((given) => {
      if (given.method !== "GET") return pass();
      if (given.n > 1) return new Promise(() => undefined);
      const stream = openStream();
      stream.end();
      return stream.response;
    });
    const leaving = new AbortController();
    const rest = readMessages(await session.get({}, leaving.signal)).rest();
    const second = await script.nth("GET", 2);
    leaving.abort(new Error("closed"));
    await expect(rest).rejects.toThrow("closed");
    expect(second.signal?.aborted).toBe(true);
  });
});
