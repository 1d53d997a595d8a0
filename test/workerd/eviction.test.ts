/** A session's object goes to sleep, or is reset, while clients stay connected. */
import {
  abortAllDurableObjects,
  evictAllDurableObjects,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { type Message, toolCall } from "../support/messages.ts";
import type { SseConnection } from "../support/sse-client.ts";
import type { BurstData } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";
import { type PoolSession, evict, inspectObject, openSession } from "./client.ts";
import { countsOf, cutShort } from "./index.ts";

/** Sends a burst on the standalone stream, and waits until all of it is stored. */
async function say(session: PoolSession, tag: string, count: number): Promise<void> {
  await session.tool("burst", { tag, sizes: Array.from({ length: count }, () => 10), on: "standalone" });
  await session.tool("settle");
}

/** What was heard, as `tag n`. */
function heard({ messages }: SseConnection): string[] {
  return messages
    .filter(({ data }) => data !== "")
    .map(({ data }) => (JSON.parse(data) as Message).params?.["data"] as BurstData)
    .map(({ tag, n }) => `${tag} ${n}`);
}

const hears = (stream: SseConnection, ...expected: string[]): Promise<void> =>
  stream
    .until(() => heard(stream).length >= expected.length, "all messages")
    .then(() => {
      expect(heard(stream)).toEqual(expected);
    });

describe("while its object sleeps", () => {
  test("a client's stream stays open, and brings what is said after the object woke", async () => {
    const session = await openSession("calm");
    const stream = await session.get();
    await say(session, "before", 2);
    await hears(stream, "before 1", "before 2");
    const { fetches } = countsOf(session.id);

    await evict(session.stub);
    await say(session, "after", 2);
    await hears(stream, "before 1", "before 2", "after 1", "after 2");
    expect(countsOf(session.id).lives).toBe(2);
    // Two for the tools: the edge did not dial again, the WebSocket slept and woke with the object.
    expect(countsOf(session.id).fetches).toBe(fetches + 2);
    stream.leave();
  });

  test("a stream stands at its place again, however often the object sleeps", async () => {
    const session = await openSession("calm");
    const stream = await session.get();
    const expected: string[] = [];
    for (const tag of ["a", "b", "c", "d"]) {
      await say(session, tag, 3);
      expected.push(`${tag} 1`, `${tag} 2`, `${tag} 3`);
      await hears(stream, ...expected);
      await evict(session.stub);
    }
    expect(countsOf(session.id).lives).toBe(4);
    stream.leave();
  });

  test("what was stored before the object slept is not sent twice, nor what came after forgotten", async () => {
    const session = await openSession("calm");
    const first = await session.get();
    await say(session, "a", 2);
    await hears(first, "a 1", "a 2");
    const { lastEventId } = first;
    await evict(session.stub);
    await say(session, "b", 1);
    await evict(session.stub);
    first.leave();
    const second = await session.get(lastEventId);
    await hears(second, "b 1");
    second.leave();
  });

  test("what a client was handed before is noted with what is said after", async () => {
    const session = await openSession("calm");
    const stream = await session.get();
    await say(session, "before", 2);
    await hears(stream, "before 1", "before 2");
    await eventually(() =>
      runInDurableObject(session.stub, (_, state) => {
        const [socket] = state.getWebSockets();
        expect(socket?.deserializeAttachment()).toMatchObject({ place: 2, handed: 2 });
      }),
    );
    await evict(session.stub);
    await say(session, "after", 1);
    const { event, stream: streams } = (await inspectObject(session.stub)).tables;
    expect(event?.at(-1)).toMatchObject({ seq: 3, handed: 2 });
    // In that row, and in none of its own.
    expect(streams).toEqual([]);
    stream.leave();
  });

  test("many sessions sleep and wake at once, each with its own stream", async () => {
    const sessions = await Promise.all(Array.from({ length: 8 }, () => openSession("calm")));
    const streams = await Promise.all(sessions.map((session) => session.get()));
    await evictAllDurableObjects();
    await Promise.all(sessions.map((session, index) => say(session, `s${index}`, 3)));
    await Promise.all(
      streams.map((stream, index) => hears(stream, `s${index} 1`, `s${index} 2`, `s${index} 3`)),
    );
    for (const stream of streams) stream.leave();
  });

  test("a call that sleep interrupted ends with one error on the stream that its client still holds", async () => {
    const session = await openSession("calm");
    const call = toolCall("linger");
    const post = await session.stream(call);
    await post.until(() => post.messages.some(({ data }) => data.includes("lingering")), "the first message");
    post.leave();
    const resumed = await session.get(post.lastEventId);

    await evict(session.stub);
    // The alarm that held the object awake for the call finds it gone.
    expect(await runDurableObjectAlarm(session.stub)).toBe(true);
    expect(await resumed.over).toBe("ended");
    const answers = resumed.messages
      .filter(({ data }) => data !== "")
      .map(({ data }) => JSON.parse(data) as Message);
    expect(answers).toMatchObject([
      { id: call.id, error: { data: { reason: "interrupted", retryable: false } } },
    ]);
  });
});

describe("when its object's links break", () => {
  test.each([
    ["as it is reset", () => abortAllDurableObjects()],
    ["as it is evicted without hibernation", () => evictAllDurableObjects({ webSockets: "close" })],
  ])("a client's stream stays open %s, and nothing is lost or doubled", async (_, disturb) => {
    const session = await openSession("calm");
    const stream = await session.get();
    await say(session, "before", 3);
    await hears(stream, "before 1", "before 2", "before 3");
    await disturb();
    await say(session, "after", 3);
    await hears(stream, "before 1", "before 2", "before 3", "after 1", "after 2", "after 3");
    expect(stream.state).toBe("open");
    expect((await inspectObject(session.stub)).sockets).toBe(1);
    stream.leave();
  });

  test("a call whose link breaks before its first byte brings its own messages and its answer", async () => {
    const session = await openSession("calm");
    await say(session, "somewhere else", 2);
    cutShort.add(session.id);
    const sizes = [1, 1, 1];
    const stream = await session.stream(toolCall("burst", { tag: "own", sizes, on: "request" }));
    expect(await stream.over).toBe("ended");
    expect(cutShort.has(session.id)).toBe(false);
    const messages = stream.messages.filter(({ data }) => data !== "").map(({ data }) => data);
    expect(messages.map((data) => /"tag":"([^"]*)"/.exec(data)?.[1])).toEqual([
      "own",
      "own",
      "own",
      undefined,
    ]);
    expect(messages.at(-1)).toContain("sent 3");
  });

  test("a call in flight ends with one error on the connection that its client still holds", async () => {
    const session = await openSession("calm");
    const call = toolCall("linger");
    const stream = await session.stream(call);
    await stream.until(
      () => stream.messages.some(({ data }) => data.includes("lingering")),
      "the first message",
    );
    await abortAllDurableObjects();
    expect(await stream.over).toBe("ended");
    expect(JSON.parse(stream.messages.at(-1)?.data ?? "")).toMatchObject({
      id: call.id,
      error: { code: -32603, data: { reason: "interrupted", retryable: false } },
    });
    expect(stream.messages.filter(({ data }) => data.includes('"error"'))).toHaveLength(1);
  });
});
