/** How the host ends: what its streams and calls are told, and what the next process knows of them. */
import { describe, expect, test } from "vitest";
import { answerOf, type McpSession, openSession, post } from "../support/mcp.ts";
import { initialize, LATEST, toolCall } from "../support/messages.ts";
import { readEvents } from "../support/sse.ts";
import { eventually, within } from "../support/wait.ts";
import { directory, freshFile, served } from "./served.ts";

describe("close", () => {
  test("ends open streams with the hint to come back, and says why", async () => {
    const database = freshFile();
    const { url, close, events } = await served({ database, retryMs: 1234 });
    const session = await openSession(url);
    const [standalone, call] = [await session.get(), await session.stream(toolCall("emit", { count: 1 }))];
    expect(await call.rest()).toHaveLength(2);
    await standalone.next();
    const closing = close();
    await standalone.rest();
    expect(standalone.text).toMatch(/^id: \S+\nretry: 1234\ndata: \n\n$/);
    await closing;
    expect(events).toContainEqual(expect.objectContaining({ type: "connection.closed", reason: "shutdown" }));
  });

  test.each([
    { version: "2025-03-26", breaks: true },
    { version: "2025-06-18", breaks: true },
    { version: "2025-11-25", breaks: false },
  ])("breaks streams off whose clients do not come back otherwise: $version", async ({ version, breaks }) => {
    const { url, close } = await served();
    const session = await openSession(url, { version });
    const standalone = await session.get();
    await standalone.next();
    const closing = close();
    expect(await (breaks ? standalone.untilBroken() : standalone.rest())).toEqual([]);
    await closing;
  });

  test("a call in progress that may not run again ends with one clear error", async () => {
    const { url, close } = await served();
    const session = await openSession(url);
    const call = toolCall("sleep", { ms: 600_000 });
    const stream = await session.stream(call);
    const closing = close();
    expect(await stream.rest()).toEqual([
      expect.objectContaining({
        id: call.id,
        error: expect.objectContaining({ code: -32603, data: { reason: "interrupted", retryable: false } }),
      }),
    ]);
    await closing;
  });

  test("a call that nobody has answered yet, as JSON or as a stream, ends with that error too", async () => {
    const { url, close } = await served({ quickAnswerMs: 1000 });
    const session = await openSession(url);
    const json = session.post(toolCall("sleep", { ms: 600_000 }), { Accept: "application/json" });
    const either = session.post(toolCall("sleep", { ms: 600_000 }));
    // A quick call behind them has been answered: they are in progress.
    await session.tool("echo", { text: "" });
    const closing = close();
    for (const answer of [await json, await either]) {
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(await answer.json()).toMatchObject({ error: { data: { reason: "interrupted" } } });
    }
    await closing;
  });

  test("a call in progress that may run again does, in the next process, for the client that comes back", async () => {
    const database = freshFile();
    const rerun = (): boolean => true;
    const first = await served({ database, rerun });
    const session = await openSession(first.url);
    const call = toolCall("sleep", { ms: 300 });
    const stream = await session.stream(call);
    const closing = first.close();
    expect(await stream.rest()).toEqual([]);
    await closing;
    const second = await served({ database, rerun });
    const resumed = await fetch(`${second.url}/mcp`, {
      headers: { ...session.headers, Accept: "text/event-stream", "Last-Event-ID": stream.lastEventId ?? "" },
    });
    expect(await answerOf(resumed)).toMatchObject({ id: call.id, result: { content: [{ text: "slept" }] } });
  });

  test("a client of before 2025-11-25 cannot come back: its call that may run again ends with an error", async () => {
    const { url, close } = await served({ rerun: () => true });
    const session = await openSession(url, { version: "2025-06-18" });
    const stream = await session.stream(toolCall("sleep", { ms: 600_000 }));
    const closing = close();
    expect(await stream.rest()).toMatchObject([
      { error: { data: { reason: "interrupted", retryable: true } } },
    ]);
    await closing;
  });

  test("what the client had read is known to the next process: a GET without an id goes on after it", async () => {
    const database = freshFile();
    const first = await served({ database });
    const session = await openSession(first.url);
    const stream = await session.get();
    await session.tool("burst", { tag: "before", sizes: [1, 1, 1], on: "standalone" });
    await stream.messages(3);
    await first.close();
    const second = await served({ database });
    const burst = toolCall("burst", { tag: "after", sizes: [1], on: "standalone" });
    await post(`${second.url}/mcp`, burst, session.headers);
    const headers = { ...session.headers, Accept: "text/event-stream" };
    const resumed = readEvents(await fetch(`${second.url}/mcp`, { headers }));
    expect((await resumed.message()).params).toMatchObject({ data: { tag: "after" } });
    resumed.leave();
  });

  test("and to the one after it, though the stream was on record before", async () => {
    const database = freshFile();
    let session: McpSession | undefined;
    for (const tag of ["first", "second", "third"]) {
      const { url, close, events } = await served({ database });
      session ??= await openSession(url);
      const burst = toolCall("burst", { tag, sizes: [1], on: "standalone" });
      await post(`${url}/mcp`, burst, session.headers);
      const headers = { ...session.headers, Accept: "text/event-stream" };
      const stream = readEvents(await fetch(`${url}/mcp`, { headers }));
      expect((await stream.message()).params).toMatchObject({ data: { tag } });
      await close();
      expect(events.filter(({ type }) => type === "send.error")).toEqual([]);
    }
  });

  test("a server that is still being built keeps nobody waiting", async () => {
    const { url, close, host } = await served({ createServer: () => new Promise(() => {}) });
    const opening = post(`${url}/mcp`, initialize(LATEST));
    await eventually(() => expect(host.inMemory).toBe(1));
    const closing = close();
    expect((await opening).status).toBe(503);
    await within(closing, "the end of the server");
  });

  test("is done once, however often it is asked for; a request after it is turned away, not told 404", async () => {
    const { router, close, host } = await served({ database: `${directory()}/x.db` });
    await Promise.all([host.close(), host.close(), close()]);
    const answer = await router.request("/mcp", {
      headers: { Accept: "text/event-stream", "Mcp-Session-Id": "0".repeat(64) },
    });
    expect(answer.status).toBe(503);
  });
});
