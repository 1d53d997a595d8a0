/** How long a request of HTTP+SSE waits for the stream that is to answer it. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Call } from "../../src/host.ts";
import { parsePayload } from "../../src/jsonrpc/parse.ts";
import { openDatabase } from "../../src/local/database.ts";
import { resolveOptions } from "../../src/options.ts";
import { createArrival } from "../../src/session/arrival.ts";
import { createDelay } from "../../src/session/calls/delays.ts";
import type { Outlet } from "../../src/session/streams/outlet.ts";
import type { Session } from "../../src/session/contract.ts";
import { createSession } from "../../src/session/session.ts";
import { createSessionStore, type SessionStore } from "../../src/session/store/store.ts";
import { type Message, notification, request } from "../support/messages.ts";
import { createTestServer } from "../support/test-server.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Whether it has settled, and as what. */
function watch<T>(promise: Promise<T>): () => T | "pending" {
  let became: T | "pending" = "pending";
  void promise.then((value) => (became = value));
  return () => became;
}

describe("the wait", () => {
  test("leaves no timer behind once the stream is there", async () => {
    const arrival = createArrival(1000, Date.now);
    const waits = [watch(arrival.awaited()), watch(arrival.awaited())];
    arrival.arrived();
    await vi.advanceTimersByTimeAsync(0);
    expect(waits.map((is) => is())).toEqual([undefined, undefined]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

const caller = { principal: undefined, authInfo: undefined, url: "http://h/messages", headers: () => ({}) };
const attach = { opens: false, transport: "http+sse", caller, lastEventId: undefined, redial: true } as const;

/** The session as an isolate of its own has it. */
const sessionIn = (store: SessionStore, redialMs: number): Session =>
  createSession({
    id: "a".repeat(64),
    store,
    settings: resolveOptions({ logLevel: "silent" }),
    createServer: createTestServer,
    env: undefined,
    alarm: { get: () => undefined, set() {}, clear() {} },
    successors: { create: () => Promise.reject(new Error("none")), isLive: () => Promise.resolve(false) },
    userChannel: () => () => Promise.reject(new Error("no users here")),
    redialMs,
    quick: createDelay(100),
    erase: async () => {},
    now: Date.now,
  });

const outlet = (connectionId: string): Outlet => ({ connectionId, openedAt: 0, send() {}, end() {} });
const dial = (session: Session, name: string): Promise<unknown> =>
  session.attach({ ...attach, connectionId: name }, () => outlet(name));

/** What becomes of a POST: `accepted`, or the status that refuses it. */
async function post(session: Session, message: Message, needsStream = true): Promise<string | number> {
  const text = JSON.stringify(message);
  const parsed = parsePayload(text);
  if ("failure" in parsed) throw new Error("the test sends what is no message");
  const { payload } = parsed;
  const call: Call = {
    opens: false,
    transport: "http+sse",
    caller,
    text,
    payload,
    accept: "any",
    needsStream,
    connectionId: () => "post",
  };
  const reply = await session.post(call, () => outlet("post"));
  return reply.kind === "refused" ? reply.failure.status : reply.kind;
}

/** A session whose isolate has died with a stream attached, and its next. */
async function restarted(redialMs: number): Promise<Session> {
  const store = createSessionStore(openDatabase(undefined), 1);
  const before = sessionIn(store, redialMs);
  await before.attach({ ...attach, opens: true, redial: false, connectionId: "c" }, () => outlet("c"));
  return sessionIn(store, redialMs);
}

describe("a request in an isolate that has just started", () => {
  test("waits for the edge that dials again, and is taken", async () => {
    const session = await restarted(1000);
    const became = watch(post(session, request("ping")));
    await vi.advanceTimersByTimeAsync(999);
    expect(became()).toBe("pending");
    await dial(session, "c.1");
    await vi.advanceTimersByTimeAsync(100);
    expect(became()).toBe("accepted");
  });

  test("is refused once that would have come; the next one at once", async () => {
    const session = await restarted(1000);
    const became = watch(post(session, request("ping")));
    await vi.advanceTimersByTimeAsync(1000);
    expect(became()).toBe(404);
    expect(await post(session, request("ping"))).toBe(404);
  });

  test("is refused at once where edges die with their sessions", async () => {
    expect(await post(await restarted(0), request("ping"))).toBe(404);
  });

  test("does not wait where its client comes back, nor does what asks for no answer", async () => {
    const session = await restarted(1000);
    const asked = watch(post(session, request("ping"), false));
    const told = watch(post(session, notification("notifications/x")));
    await vi.advanceTimersByTimeAsync(200);
    expect([asked(), told()]).toEqual(["accepted", "accepted"]);
  });
});

test("a link that broke is expected again; one whose client has gone is not", async () => {
  const session = await restarted(1000);
  await dial(session, "c.1");
  await vi.advanceTimersByTimeAsync(5000);
  const stream = await streamOf(session);
  session.leave(stream, "c.2");
  const became = watch(post(session, request("ping")));
  await vi.advanceTimersByTimeAsync(500);
  expect(became()).toBe("pending");
  await dial(session, "c.3");
  await vi.advanceTimersByTimeAsync(100);
  expect(became()).toBe("accepted");
  await vi.advanceTimersByTimeAsync(5000);
  session.leave(stream, "c.3", { seq: 0 });
  expect(await post(session, request("ping"))).toBe(404);
});

/** The number of the standalone stream, as a host is told it. */
async function streamOf(session: Session): Promise<number> {
  let number = 0;
  await session.attach({ ...attach, connectionId: "c.2" }, (stream) => {
    number = stream;
    return outlet("c.2");
  });
  return number;
}
