/** How sessions, their messages and their tombstones end: by the clock, in steps, to nothing. */
import { listDurableObjectIds, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { initialize, notification, request, toolCall } from "../support/messages.ts";
import { eventually } from "../support/wait.ts";
import {
  type PoolSession,
  evict,
  fetchWorker,
  inspectObject,
  openSession,
  startSession,
  stubOf,
} from "./client.ts";
import { advance, alarmIn, pass, ringNext, useClock } from "./clock.ts";

useClock();

/** Of the variant `brief`; sessions end a tenth late, so that use need not be written down each time. */
const TTL_MS = 600_000 * 1.1;
const TOMBSTONE_MS = 300_000;
const PROVISIONAL_MS = 90_000;
const MESSAGE_MS = 120_000;

const statusOf = async (stub: DurableObjectStub): Promise<unknown> =>
  (await inspectObject(stub)).tables["session"]?.[0]?.["status"];

async function expectNothingLeft(stub: DurableObjectStub): Promise<void> {
  expect(await inspectObject(stub)).toMatchObject({ alarm: null, tables: {} });
}

/** Any request with the session's id. */
const ask = (session: PoolSession): Promise<Response> => session.post(request("tools/list"));

describe("a session", () => {
  test("ends its time to live after its last request", async () => {
    const session = await openSession("brief");
    advance(500_000);
    expect((await ask(session)).status).toBe(200);
    await pass(session.stub, TTL_MS - 1000);
    expect(await statusOf(session.stub)).toBe("active");
    await pass(session.stub, 1000);
    expect(await statusOf(session.stub)).toBe("ended");
  });

  test("ends no earlier where its object slept since", async () => {
    const session = await openSession("brief");
    advance(59_999);
    await ask(session);
    await evict(session.stub);
    await pass(session.stub, 600_000);
    expect(await statusOf(session.stub)).toBe("active");
  });

  test("never ends while a stream is open, and its time counts from when the stream closed", async () => {
    const session = await openSession("calm");
    const ttl = 3_600_000;
    const stream = await session.get();
    await pass(session.stub, 5 * ttl);
    expect(await statusOf(session.stub)).toBe("active");
    expect(stream.state).toBe("open");

    stream.leave();
    await vi.waitFor(async () => expect((await inspectObject(session.stub)).sockets).toBe(0));
    await pass(session.stub, ttl);
    expect(await statusOf(session.stub)).toBe("active");
    await pass(session.stub, ttl * 0.1);
    expect(await statusOf(session.stub)).toBe("ended");
  });

  test("with a stream open does not end either where its object sleeps", async () => {
    const session = await openSession("calm");
    const stream = await session.get();
    for (let hours = 0; hours < 4; hours++) {
      await evict(session.stub);
      await pass(session.stub, 3_600_000);
    }
    expect(await statusOf(session.stub)).toBe("active");
    expect(stream.state).toBe("open");
    stream.leave();
  });

  test("does not end while a client waits for its call", async () => {
    const session = await openSession("calm");
    const call = await session.stream(toolCall("linger"));
    await pass(session.stub, 5 * 3_600_000);
    expect(await statusOf(session.stub)).toBe("active");
    expect(call.state).toBe("open");
    call.leave();
  });

  test("ends with a call in flight that its client has left, and leaves nothing", async () => {
    const session = await openSession("calm");
    const call = await session.stream(toolCall("linger"));
    await call.until(() => call.messages.some(({ data }) => data.includes("lingering")), "the first message");
    call.leave();
    // The edge is seen to be gone by the next look, and from then on the time counts.
    const day = 86_400_000;
    await pass(session.stub, 300_000 + 3_600_000 * 1.1 + day);
    await pass(session.stub, day);
    await expectNothingLeft(session.stub);
  });

  test("that its client deletes leaves nothing, at once", async () => {
    const session = await openSession("brief");
    await session.tool("counter", { by: 1 });
    await session.tool("burst", { tag: "kept", sizes: [1], on: "standalone" });
    const stream = await session.get();
    expect((await session.remove()).status).toBe(204);
    expect(await stream.over).toBe("ended");
    await expectNothingLeft(session.stub);
    expect((await ask(session)).status).toBe(404);
    await expectNothingLeft(session.stub);
  });
});

describe("a session that nobody uses after it was opened", () => {
  test("leaves nothing once its provisional time is over, without a tombstone", async () => {
    const session = await startSession("brief");
    expect(await statusOf(session.stub)).toBe("provisional");
    await evict(session.stub);
    expect(await ringNext(session.stub)).toBe(PROVISIONAL_MS);
    await expectNothingLeft(session.stub);
    const answer = await ask(session);
    expect(answer.status).toBe(404);
    expect(answer.headers.has("mcp-session-id")).toBe(false);
    await expectNothingLeft(session.stub);
  });

  test("hundreds of them leave no row and no alarm", { timeout: 120_000 }, async () => {
    const sessions = await Promise.all(Array.from({ length: 200 }, () => startSession("brief")));
    advance(PROVISIONAL_MS);
    for (const { stub } of sessions) {
      await runDurableObjectAlarm(stub);
      await expectNothingLeft(stub);
    }
  });

  const uses: [string, (session: PoolSession) => Promise<unknown>][] = [
    ["a request", ask],
    ["initialized", (session) => session.post(notification("notifications/initialized"))],
    ["another notification", (session) => session.post(notification("notifications/roots/list_changed"))],
    ["a stream", async (session) => (await session.get()).leave()],
  ];
  test.each(uses)("lives as long as any from its first use on, by %s", async (_, use) => {
    const session = await startSession("brief");
    advance(PROVISIONAL_MS - 1);
    await use(session);
    await eventually(async () => expect((await inspectObject(session.stub)).sockets).toBe(0));
    await evict(session.stub);
    await pass(session.stub, TTL_MS - 1);
    expect(await statusOf(session.stub)).toBe("active");
    await pass(session.stub, 1);
    expect(await statusOf(session.stub)).toBe("ended");
  });

  test("is not given another server by a second initialize", async () => {
    const session = await startSession("brief");
    expect((await session.post(initialize("2025-11-25"))).status).toBe(400);
  });
});

describe("a session that ended", () => {
  test("leaves a tombstone of one row, then nothing, and answers 404 all along", async () => {
    const session = await openSession("brief");
    await session.tool("counter", { by: 1 });
    await session.tool("burst", { tag: "kept", sizes: [1, 1], on: "standalone" });
    await pass(session.stub, TTL_MS);
    const { alarm, tables } = await inspectObject(session.stub);
    expect(tables).toMatchObject({ stream: [], event: [], entry: [] });
    expect(tables["session"]).toHaveLength(1);
    expect(alarm).toBe(Date.now() + TOMBSTONE_MS);
    expect((await ask(session)).status).toBe(404);
    await evict(session.stub);
    expect((await session.remove()).status).toBe(404);

    await pass(session.stub, TOMBSTONE_MS);
    await expectNothingLeft(session.stub);
    expect((await ask(session)).status).toBe(404);
    await evict(session.stub);
    expect((await ask(session)).status).toBe(404);
    await expectNothingLeft(session.stub);
  });

  test("is served or answered 404, never otherwise, by requests that meet it as its alarm rings", async () => {
    const listen = (session: PoolSession): Promise<Response> =>
      fetchWorker("/brief/mcp", { headers: { Accept: "text/event-stream", "Mcp-Session-Id": session.id } });
    const meet = async (session: PoolSession, knock: typeof ask): Promise<number> => {
      advance((await alarmIn(session.stub)) ?? 0);
      const [answer] = await Promise.all([knock(session), runDurableObjectAlarm(session.stub)]);
      await answer.body?.cancel();
      return answer.status;
    };
    for (const knock of [ask, listen, (session: PoolSession) => session.remove()]) {
      const session = await openSession("brief");
      expect(await meet(session, knock)).toBeOneOf([200, 204, 404]);
      const tombstone = await openSession("brief");
      await pass(tombstone.stub, TTL_MS);
      expect(await statusOf(tombstone.stub)).toBe("ended");
      expect(await meet(tombstone, knock)).toBe(404);
      await expectNothingLeft(tombstone.stub);
    }
  });

  test("names one successor that is forgotten where nobody uses it", async () => {
    const session = await openSession("brief");
    await pass(session.stub, TTL_MS);
    const before = (await listDurableObjectIds(env.BRIEF)).length;
    const answers = await Promise.all([ask(session), ask(session), ask(session)]);
    const named = answers.map((answer) => answer.headers.get("mcp-session-id"));
    const [successor] = named;
    expect(new Set(named)).toEqual(new Set([successor]));
    expect((await listDurableObjectIds(env.BRIEF)).length).toBe(before + 1);

    const stub = stubOf("brief", successor ?? "");
    expect(await statusOf(stub)).toBe("provisional");
    expect(await ringNext(stub)).toBe(PROVISIONAL_MS);
    await expectNothingLeft(stub);
    // Whoever comes back now is given another.
    expect((await ask(session)).headers.get("mcp-session-id")).not.toBe(successor);
  });

  test("names a successor that lives as long as any session once it is used", async () => {
    const session = await openSession("brief");
    await pass(session.stub, TTL_MS);
    const successor = (await ask(session)).headers.get("mcp-session-id") ?? "";
    const stub = stubOf("brief", successor);
    advance(PROVISIONAL_MS - 1);
    const used = await fetchWorker("/brief/mcp", {
      method: "POST",
      headers: {
        Accept: "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Mcp-Session-Id": successor,
      },
      body: JSON.stringify(request("tools/list")),
    });
    expect(used.status).toBe(200);
    await pass(stub, TTL_MS - 1);
    expect(await statusOf(stub)).toBe("active");
    await pass(stub, 1);
    expect(await statusOf(stub)).toBe("ended");
  });
});

describe("a message", () => {
  test("that is too old is purged, and its place in the stream is said", async () => {
    const session = await openSession("brief");
    const first = await session.get();
    await session.tool("burst", { tag: "old", sizes: [1], on: "standalone" });
    await first.until(() => first.messages.length === 2, "the first message");
    const { lastEventId } = first;
    first.leave();
    await vi.waitFor(async () => expect((await inspectObject(session.stub)).sockets).toBe(0));

    await session.tool("burst", { tag: "older", sizes: [1, 1], on: "standalone" });
    advance(MESSAGE_MS / 2);
    await session.tool("burst", { tag: "newer", sizes: [1], on: "standalone" });
    await pass(session.stub, MESSAGE_MS / 2 + 1000);
    expect((await inspectObject(session.stub)).tables["event"]).toHaveLength(1);

    const second = await session.get(lastEventId);
    await second.until(() => second.messages.length === 2, "what is left");
    expect(second.comments.filter((text) => text.startsWith("gap"))).toEqual([
      "gap: 2 events before this one are no longer held",
    ]);
    expect(second.messages[1]?.data).toContain("newer");
    second.leave();
  });

  test("that is younger is replayed", async () => {
    const session = await openSession("brief");
    await session.tool("burst", { tag: "young", sizes: [1], on: "standalone" });
    await pass(session.stub, MESSAGE_MS - 1);
    const stream = await session.get();
    await stream.until(() => stream.messages.length === 2, "the message");
    expect(stream.comments).toEqual([]);
    stream.leave();
  });

  test("and its stream's row go together once a call is long answered", async () => {
    const session = await openSession("brief");
    const call = await session.stream(toolCall("burst", { tag: "call", sizes: [1], on: "request" }));
    expect(await call.over).toBe("ended");
    expect((await inspectObject(session.stub)).tables).toMatchObject({ stream: [{}], event: [{}, {}] });
    await pass(session.stub, MESSAGE_MS + 1000);
    expect((await inspectObject(session.stub)).tables).toMatchObject({ stream: [], event: [] });
    expect(await alarmIn(session.stub)).toBe(TTL_MS - MESSAGE_MS - 1000);
  });
});

describe("a call that runs for too long", () => {
  const CALL_MS = 450_000;

  test("is answered with an error, which its client finds, and no longer holds the object awake", async () => {
    const session = await openSession("brief");
    const call = toolCall("linger");
    const stream = await session.stream(call);
    await stream.until(
      () => stream.messages.some(({ data }) => data.includes("lingering")),
      "the first message",
    );
    await pass(session.stub, CALL_MS - 1000);
    // Held, every 20 seconds.
    expect(await alarmIn(session.stub)).toBeLessThanOrEqual(20_000);
    await pass(session.stub, 2000);
    const resumed = await session.get(stream.lastEventId);
    expect(await resumed.over).toBe("ended");
    expect(JSON.parse(resumed.messages.at(-1)?.data ?? "")).toMatchObject({
      id: call.id,
      error: { code: -32603, data: { reason: "timeout" } },
    });
    await pass(session.stub, MESSAGE_MS);
    expect(await alarmIn(session.stub)).toBeGreaterThan(20_000);
  });

  test("is not spared by its object's sleep", async () => {
    const session = await openSession("brief");
    const stream = await session.stream(toolCall("linger"));
    await stream.until(
      () => stream.messages.some(({ data }) => data.includes("lingering")),
      "the first message",
    );
    stream.leave();
    // Its connection has been ended, for its age.
    await ringNext(session.stub);
    await evict(session.stub);
    await pass(session.stub, CALL_MS);
    const { tables } = await inspectObject(session.stub);
    expect(tables).toMatchObject({ stream: [], event: [] });
  });
});
