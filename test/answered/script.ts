/** Sessions as they may go: calls that a server treats in any way, by clients that wait, leave, come back or cancel. @module */
import { type Arbitrary, array, boolean, constantFrom, record } from "fast-check";
import { expect } from "vitest";
import { answerOf, type McpSession, openSession } from "../support/mcp.ts";
import { type Message, notification, toolCall } from "../support/messages.ts";
import { type EventStream, readEvents } from "../support/sse.ts";
import { within } from "../support/wait.ts";
import { UNWRITABLE, type Unwritable, type Wayward } from "../support/wayward.ts";

/** What a client does after its call. */
export type Manner = "wait" | "read JSON alone" | "leave" | "come back" | "cancel";

export interface Step {
  readonly wayward: Wayward;
  readonly manner: Manner;
  /** How long the client waits before it leaves, cancels or comes back. */
  readonly afterMs: number;
  /** How long before the call is made. */
  readonly pauseMs: number;
}

/** Deep results are left out: what is too deep differs from one V8 to the next. */
const unwritable = (Object.keys(UNWRITABLE) as Unwritable[]).filter((what) => what !== "deep");

const wayward: Arbitrary<Wayward> = record({
  act: constantFrom(
    "answer",
    "throw",
    "answer twice",
    "never",
    "close",
    "unwritable",
    "block",
    "notify",
    "outlive",
  ),
  ms: constantFrom(0, 0, 60, 150, 300),
  what: constantFrom(...unwritable),
  speaks: boolean(),
});

const step: Arbitrary<Step> = record({
  wayward,
  manner: constantFrom("wait", "read JSON alone", "leave", "come back", "cancel"),
  afterMs: constantFrom(0, 30, 120, 250),
  pauseMs: constantFrom(0, 0, 20, 100),
});

/** Several sessions side by side, each with calls side by side. */
export const sessions: Arbitrary<Step[][]> = array(array(step, { minLength: 1, maxLength: 6 }), {
  minLength: 4,
  maxLength: 8,
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const answersIn = (messages: readonly Message[], id: unknown): Message[] =>
  messages.filter((message) => message.method === undefined && message.id === id);

/** Reads what comes within `ms` and leaves; what came by then. */
async function readFor(response: Response, ms: number, leave: AbortController): Promise<{ text: string }> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const timer = setTimeout(() => leave.abort(), ms);
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // Left.
  } finally {
    clearTimeout(timer);
  }
  return { text };
}

/** The JSON-RPC messages and the last event id in what was read of a stream that was left. */
function partsOf(text: string): { messages: Message[]; lastEventId: string | undefined } {
  const whole = text.slice(0, text.lastIndexOf("\n\n") + 2);
  const data = [...whole.matchAll(/^data: (.+)$/gm)].map(([, json]) => JSON.parse(json ?? "") as Message);
  return { messages: data, lastEventId: [...whole.matchAll(/^id: (\S+)$/gm)].at(-1)?.[1] };
}

async function call(
  session: McpSession,
  { wayward: args, manner, afterMs }: Step,
  id: string,
): Promise<void> {
  const sent = toolCall("wayward", { ...args, tag: id }, { id });
  const what = `${manner}: ${JSON.stringify(args)}`;
  if (manner === "read JSON alone") {
    const answer = await within(session.post(sent, { Accept: "application/json" }), what);
    expect((await answerOf(answer)).id, what).toBe(id);
    return;
  }
  const leave = new AbortController();
  const response = await within(session.post(sent, {}, leave.signal), what);
  const isStream = response.headers.get("content-type") === "text/event-stream";
  if (!isStream) {
    // Answered before the client could do anything; a cancelled one that was quicker is a 202.
    const body = await response.text();
    expect((JSON.parse(body) as Message).id, what).toBe(id);
    return;
  }
  if (manner === "leave") {
    await readFor(response, afterMs, leave);
    return;
  }
  if (manner === "come back") {
    const { text } = await readFor(response, afterMs, leave);
    const { messages, lastEventId } = partsOf(text);
    if (lastEventId === undefined) return;
    await pause(afterMs);
    const back = await session.fetch("GET", { "Last-Event-ID": lastEventId });
    // Nothing is left where all had been read before.
    const rest = back.status === 204 ? [] : await within(readEvents(back).rest(), what);
    expect(answersIn([...messages, ...rest], id), what).toHaveLength(1);
    return;
  }
  const stream: EventStream = readEvents(response);
  if (manner === "cancel") {
    await pause(afterMs);
    await session.post(notification("notifications/cancelled", { requestId: id }));
    // The answer may have been quicker.
    expect(answersIn(await within(stream.rest(), what), id).length, what).toBeLessThan(2);
    return;
  }
  expect(answersIn(await within(stream.rest(), what), id), what).toHaveLength(1);
}

/** Plays one session; every call must be answered once, or end with its cancellation. */
export async function play(url: string, steps: readonly Step[]): Promise<McpSession> {
  const session = await openSession(url);
  const calls = steps.map(async (each, index) => {
    await pause(each.pauseMs);
    await call(session, each, `call ${index}`);
  });
  await Promise.all(calls);
  return session;
}
