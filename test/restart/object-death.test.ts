/** B36, promises 2 and 3: only the session's object dies; the edge still holds the client's connection. */
import { describe, expect, test } from "vitest";
import { abortObject, doomObject, dropLinks, inspect } from "../support/back-door.ts";
import { mortal, workerd } from "../support/hosts.ts";
import { interrupted, LONG, resumable } from "../support/interrupted.ts";
import { type Message, numbersOf, textOf, toolCall, upTo } from "../support/messages.ts";
import { answerOf, type McpSession, openSession } from "../support/mcp.ts";

/** Posts calls that the object dies under while it has all of them in hand, and none has a stream yet. */
async function dieUnder(url: string, session: McpSession, calls: readonly unknown[]): Promise<Response[]> {
  await doomObject(url, session.id, calls.length);
  return Promise.all(calls.map((call) => session.post(call)));
}

describe("a call that the object has not answered yet", () => {
  // Long enough to die in.
  const server = mortal(workerd, { HOLDFAST_QUICK_ANSWER_MS: "1000", TEST_RERUN: "ask" });

  test("gets one error, as the answer to its POST", async () => {
    const session = await openSession(server.url);
    const call = toolCall("sleep", LONG);
    const [answer] = await dieUnder(server.url, session, [call]);
    expect(answer?.status).toBe(200);
    expect(answer?.headers.get("content-type")).toBe("application/json");
    expect(await answer?.json()).toEqual(interrupted(call.id));
    // Nothing of it is left to settle later.
    expect(await session.tool("echo", { text: "on" })).toBe("on");
    expect((await inspect(server.url, session.id)).tables["stream"]).toEqual([]);
  });

  test("runs again where it may, and its POST gets the result", async () => {
    const session = await openSession(server.url, { capabilities: { elicitation: {} } });
    const standalone = await session.get();
    await standalone.next();
    const call = toolCall("ask", { message: "well?", on: "standalone" });
    // Both runs ask; the first one's question dies with it.
    const answers = dieUnder(server.url, session, [call]);
    const first = await standalone.message(({ method }) => method === "elicitation/create");
    const second = await standalone.message(({ method }) => method === "elicitation/create");
    expect(second.id).not.toBe(first.id);
    await session.post({
      jsonrpc: "2.0",
      id: second.id,
      result: { action: "accept", content: { answer: "yes" } },
    });
    const [response] = await answers;
    expect(response?.status).toBe(200);
    expect(textOf(await answerOf(response ?? new Response(), call.id))).toBe(
      '{"action":"accept","answer":"yes"}',
    );
    standalone.leave();
  });

  test("gets an error of its own, though another in flight has the same id", async () => {
    const session = await openSession(server.url);
    const calls = [toolCall("sleep", LONG, { id: 1 }), toolCall("sleep", LONG, { id: 1 })];
    const answers = await dieUnder(server.url, session, calls);
    expect(await Promise.all(answers.map((answer) => answer.json()))).toEqual([
      interrupted(1),
      interrupted(1),
    ]);
  });

  test("gets an error for each request of its batch", async () => {
    const session = await openSession(server.url, { version: "2025-03-26" });
    const batch = [toolCall("sleep", LONG, { id: "a" }), toolCall("sleep", LONG, { id: "b" })];
    const [answer] = await dieUnder(server.url, session, [batch]);
    expect(await answer?.json()).toEqual([interrupted("a"), interrupted("b")]);
  });
});

describe("a call that streams already", () => {
  const server = mortal(workerd, { TEST_RERUN: "ask" });

  test("gets one error on the connection that it has, which then ends", async () => {
    const session = await openSession(server.url);
    const call = toolCall("sleep", { ms: 600_000, steps: 6000 }, { progressToken: "p" });
    const stream = await session.stream(call);
    await stream.messages(2);
    await abortObject(server.url, session.id);
    const rest = await stream.rest();
    expect(rest.at(-1)).toEqual(interrupted(call.id));
    const progress = rest.slice(0, -1).map(({ params }) => params?.["progress"]);
    expect(progress).toEqual(progress.map((_, n) => n + 3));
    const ids = stream.seen.flatMap((item) => (item.type === "event" ? [item.id] : []));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("gets an error of its own, though another in flight has the same id", async () => {
    const session = await openSession(server.url);
    const calls = [toolCall("sleep", LONG, { id: 1 }), toolCall("sleep", LONG, { id: 1 })];
    const streams = await Promise.all(calls.map((call) => session.stream(call)));
    await Promise.all(streams.map(resumable));
    await abortObject(server.url, session.id);
    expect(await Promise.all(streams.map((stream) => stream.rest()))).toEqual([
      [interrupted(1)],
      [interrupted(1)],
    ]);
  });

  test("runs again where it may, on the connection that it has", async () => {
    const session = await openSession(server.url, { capabilities: { elicitation: {} } });
    const call = toolCall("ask", { message: "well?" });
    const stream = await session.stream(call);
    const isQuestion = ({ method }: Message): boolean => method === "elicitation/create";
    const first = await stream.message(isQuestion);
    await abortObject(server.url, session.id);
    const second = await stream.message(isQuestion);
    expect(second.id).not.toBe(first.id);
    await session.post({ jsonrpc: "2.0", id: second.id, result: { action: "decline" } });
    expect(await stream.rest()).toMatchObject([
      { id: call.id, result: { content: [{ text: '{"action":"decline","answer":null}' }] } },
    ]);
  });
});

describe("a standalone stream", () => {
  const server = mortal(workerd);
  const emit = (session: McpSession, count: number): Promise<string | undefined> =>
    session.tool("emit", { count, on: "standalone" });

  test("goes on through five deaths of the object: no break, nothing lost, nothing doubled", async () => {
    const session = await openSession(server.url);
    const earlier = server.events().length;
    const stream = await session.get();
    await resumable(stream);
    for (let round = 0; round < 5; round++) {
      await emit(session, 3);
      expect(numbersOf(await stream.messages(3))).toEqual(upTo(3));
      await abortObject(server.url, session.id);
      // Not before the edge has dialled again: these wait for it.
      await emit(session, 2);
      expect(numbersOf(await stream.messages(2))).toEqual(upTo(2));
    }
    const ids = stream.seen.flatMap((item) => (item.type === "event" ? [item.id] : []));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(1 + 5 * 5);
    // One connection all the while.
    const redials = server
      .events()
      .slice(earlier)
      .filter(({ type }) => type === "connection.redialled");
    expect(new Set(redials.map(({ connectionId }) => connectionId)).size).toBe(1);
    expect(redials).toHaveLength(5);
    stream.leave();
  });

  test("goes on where only the link to the object breaks, again and again", async () => {
    const session = await openSession(server.url);
    const stream = await session.get();
    await resumable(stream);
    for (let round = 0; round < 5; round++) {
      await emit(session, 2);
      expect(numbersOf(await stream.messages(2))).toEqual([1, 2]);
      await dropLinks(server.url, session.id);
    }
    await emit(session, 1);
    expect(numbersOf(await stream.messages(1))).toEqual([1]);
    stream.leave();
  });

  test("delivers what was stored as the object died under it", async () => {
    const session = await openSession(server.url);
    const stream = await session.get();
    await resumable(stream);
    // Far more than fits on the way: the rest is in the log when the object dies.
    await emit(session, 1500);
    await stream.messages(10);
    await abortObject(server.url, session.id);
    await emit(session, 1);
    const numbers: number[] = [];
    while (numbers.length < 2 || numbers.at(-1) !== 1) numbers.push(...numbersOf([await stream.message()]));
    const stored = numbers.slice(0, -1);
    // The emitter died too, so the end is open; up to there nothing is missing.
    expect(stored).toEqual(stored.map((_, n) => n + 11));
    stream.leave();
  });

  test("goes on beside a call's stream, each message on its own", async () => {
    const session = await openSession(server.url);
    const standalone = await session.get();
    await resumable(standalone);
    const call = toolCall("sleep", LONG);
    const stream = await session.stream(call);
    await resumable(stream);
    await abortObject(server.url, session.id);
    expect(await stream.rest()).toEqual([interrupted(call.id)]);
    await emit(session, 2);
    expect(numbersOf(await standalone.messages(2))).toEqual([1, 2]);
    standalone.leave();
  });
});
