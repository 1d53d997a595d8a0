/** A session and a hub that cannot be reached: a subscription is refused rather than silent, and lists are asked for again. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { HoldfastEvent } from "../../src/index.ts";
import { parsePayload } from "../../src/jsonrpc/parse.ts";
import { openDatabase } from "../../src/local/database.ts";
import { resolveOptions } from "../../src/options.ts";
import { createDelay } from "../../src/session/calls/delays.ts";
import { createInterest } from "../../src/session/interest.ts";
import type { Outlet } from "../../src/session/streams/outlet.ts";
import { createSession } from "../../src/session/session.ts";
import { createSessionStore } from "../../src/session/store/store.ts";
import type { Call } from "../../src/host.ts";
import { createTestServer } from "../support/test-server.ts";
import { initialize, type Message, notification, request } from "../support/messages.ts";

const caller = {
  principal: undefined,
  authInfo: undefined,
  url: "http://localhost/mcp",
  headers: () => ({}),
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A session whose hub answers when, and as, the test says. */
async function sessionWithHub() {
  const hub = { isUp: true, asked: [] as { add: readonly string[]; drop: readonly string[] }[] };
  const held: (() => void)[] = [];
  let isHolding = false;
  const events: HoldfastEvent[] = [];
  const unsubscribed: string[] = [];
  const alarm = { at: undefined as number | undefined };
  const store = createSessionStore(openDatabase(undefined), 1);
  const settings = resolveOptions({ onEvent: (event) => events.push(event) });
  const session = createSession({
    id: "a".repeat(64),
    store,
    settings,
    createServer: (context) => {
      const mcp = createTestServer(context);
      mcp.server.setRequestHandler("resources/unsubscribe", ({ params }) => {
        unsubscribed.push(params.uri);
        return {};
      });
      return mcp;
    },
    env: undefined,
    alarm: {
      get: () => alarm.at,
      set: (at) => void (alarm.at = at),
      clear: () => void (alarm.at = undefined),
    },
    successors: { create: () => Promise.reject(new Error("none")), isLive: () => Promise.resolve(false) },
    interest: (interested) =>
      createInterest(
        {
          publish() {},
          async watch(_, add, drop) {
            hub.asked.push({ add, drop });
            if (isHolding) await new Promise<void>((resolve) => held.push(resolve));
            if (!hub.isUp) throw new Error("the hub answered 429");
          },
          forget() {},
        },
        interested,
      ),
    userChannel: () => () => Promise.reject(new Error("no users here")),
    redialMs: 0,
    quick: createDelay(100),
    erase: async () => {},
    now: Date.now,
  });
  const post = async (message: Message | Message[], opens = false): Promise<Message> => {
    const text = JSON.stringify(message);
    const parsed = parsePayload(text);
    if ("failure" in parsed) throw new Error("the test sends what is no message");
    const { payload } = parsed;
    const call: Call = {
      opens,
      transport: "streamable",
      caller,
      text,
      payload,
      accept: "json",
      connectionId: () => "c",
    };
    const reply = await session.post(call, () => {
      throw new Error("no stream is expected");
    });
    return reply.kind === "json" ? (JSON.parse(reply.body) as Message) : {};
  };
  await post(initialize(), true);
  await post(notification("notifications/initialized"));
  return {
    session,
    store,
    hub,
    events,
    unsubscribed,
    alarm,
    post,
    hold: (on: boolean): void => {
      isHolding = on;
      for (const resolve of held.splice(0)) resolve();
    },
  };
}

const subscribe = (uri: string): Message => request("resources/subscribe", { uri }, uri);

test("a subscription that the hub does not take fails, for the server and the journal too", async () => {
  const { post, hub, store, unsubscribed, events } = await sessionWithHub();
  hub.isUp = false;
  expect(await post(subscribe("test://a"))).toMatchObject({
    id: "test://a",
    error: { code: -32603, data: { reason: "not-watched" } },
  });
  expect(store.entries("sticky")).toEqual([]);
  await vi.advanceTimersByTimeAsync(0);
  expect(unsubscribed).toEqual(["test://a"]);
  expect(events.filter(({ type }) => type === "listen.watch_failed")).toHaveLength(1);

  hub.isUp = true;
  expect(await post(subscribe("test://a"))).toHaveProperty("result");
  expect(store.entries("sticky")).toHaveLength(1);
  // One that stands is asked for once more, in vain: it stands.
  hub.isUp = false;
  expect(await post(subscribe("test://a"))).toHaveProperty("error");
  await vi.advanceTimersByTimeAsync(0);
  expect(unsubscribed).toEqual(["test://a"]);
  expect(store.entries("sticky")).toHaveLength(1);
});

test("the answer leaves once the hub has it, and not before", async () => {
  const { post, hub, hold } = await sessionWithHub();
  hold(true);
  let answer: Message | undefined;
  const asked = post(subscribe("test://slow")).then((message) => (answer = message));
  await vi.advanceTimersByTimeAsync(1000);
  expect(hub.asked).toEqual([{ add: ["resource_updated test://slow"], drop: [] }]);
  expect(answer).toBeUndefined();
  // Nothing else waits for it.
  expect(await post(request("ping"))).toHaveProperty("result");
  hold(false);
  await asked;
  expect(answer).toHaveProperty("result");
});

test("a client that cancels while the hub is asked is not answered, and nothing is kept of it", async () => {
  const { post, hold, store } = await sessionWithHub();
  hold(true);
  const cancelled = post(subscribe("test://cancelled"));
  await vi.advanceTimersByTimeAsync(10);
  await post(notification("notifications/cancelled", { requestId: "test://cancelled" }));
  expect(await cancelled).toEqual({});
  hold(false);
  await vi.advanceTimersByTimeAsync(10);
  expect(store.entries("sticky")).toEqual([]);
});

test("a session that ends while the hub is asked answers once, and nothing is kept of it", async () => {
  const { post, hold, store, session } = await sessionWithHub();
  hold(true);
  const ended = post(subscribe("test://ended"));
  await vi.advanceTimersByTimeAsync(10);
  await session.end(caller);
  expect(await ended).toMatchObject({ error: { data: { reason: "session-ended" } } });
  hold(false);
  await vi.advanceTimersByTimeAsync(10);
  expect(store.entries("sticky")).toEqual([]);
});

test("what many subscribe to at once is asked in few questions, in order", async () => {
  const { post, hub, hold } = await sessionWithHub();
  hold(true);
  const asked = Array.from({ length: 50 }, (_, n) => post(subscribe(`test://${n}`)));
  await vi.advanceTimersByTimeAsync(10);
  hold(false);
  await Promise.all(asked);
  expect(hub.asked.length).toBeLessThan(4);
  expect(hub.asked.flatMap(({ add }) => add)).toHaveLength(50);
  await post(request("resources/unsubscribe", { uri: "test://0" }));
  await vi.advanceTimersByTimeAsync(0);
  expect(hub.asked.at(-1)).toEqual({ add: [], drop: ["resource_updated test://0"] });
});

test("lists that could not be asked for are asked for again by the alarm, later each time, until they are", async () => {
  const { session, hub, alarm, store, events } = await sessionWithHub();
  hub.isUp = false;
  const outlet: Outlet = { connectionId: "s", openedAt: Date.now(), send() {}, end() {}, lastSeen: Date.now };
  const attach = { opens: false, transport: "streamable", caller, connectionId: "s", redial: false } as const;
  await session.attach({ ...attach, lastEventId: undefined }, () => outlet);
  await vi.advanceTimersByTimeAsync(0);
  const ring = async (): Promise<number> => {
    const waited = (alarm.at ?? 0) - Date.now();
    await vi.advanceTimersByTimeAsync(waited);
    await session.alarm();
    await vi.advanceTimersByTimeAsync(0);
    return waited;
  };
  expect(await ring()).toBe(5000);
  expect(await ring()).toBe(10_000);
  expect(events.filter(({ type }) => type === "listen.watch_failed")).toHaveLength(3);
  expect(store.entries("watch")).toEqual([{ name: "default", value: "resources" }]);
  hub.isUp = true;
  expect(await ring()).toBe(20_000);
  expect(store.entries("watch")).toEqual([{ name: "default", value: "lists" }]);
  const asked = hub.asked.length;
  await ring();
  expect(hub.asked).toHaveLength(asked);
});
