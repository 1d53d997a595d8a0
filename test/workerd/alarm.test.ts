/** The one alarm of a session: when it rings, what it does, and that it never runs wild. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { toolCall } from "../support/messages.ts";
import { eventually } from "../support/wait.ts";
import { type PoolSession, evict, inspectObject, openSession } from "./client.ts";
import { advance, alarmIn, pass, ringNext, useClock } from "./clock.ts";
import { countsOf } from "./index.ts";

useClock();

/** Of the variant `brief`; sessions end a tenth late, so that use need not be written down each time. */
const TTL_MS = 600_000 * 1.1;
const MAX_STREAM_MS = 60_000;
const PROVISIONAL_MS = 90_000;

/** The client leaves its stream, and the object has heard of it. */
async function leave(session: PoolSession, stream: { leave(): void }): Promise<void> {
  stream.leave();
  await eventually(async () => expect((await inspectObject(session.stub)).sockets).toBe(0));
}

describe("the alarm is set", () => {
  test("to the end of a session that is not used again, once it has found that the session was used at all", async () => {
    const session = await openSession("brief");
    expect(await ringNext(session.stub)).toBe(PROVISIONAL_MS);
    expect(await alarmIn(session.stub)).toBe(TTL_MS - PROVISIONAL_MS);
  });

  test("to the age of a stream that is open", async () => {
    const session = await openSession("brief");
    const stream = await session.get();
    expect(await alarmIn(session.stub)).toBe(MAX_STREAM_MS);
    stream.leave();
  });

  test("to the end of the session, from when its last stream closed", async () => {
    const session = await openSession("brief");
    const stream = await session.get();
    advance(30_000);
    await leave(session, stream);
    // It rings for the stream that is gone, and finds nothing to do but this.
    await ringNext(session.stub);
    expect(await alarmIn(session.stub)).toBe(TTL_MS - 30_000);
  });

  test("to the end of the session alone, where it rings in an isolate that has no stream", async () => {
    const session = await openSession("brief");
    const stream = await session.get();
    await leave(session, stream);
    await evict(session.stub);
    expect(await ringNext(session.stub)).toBe(MAX_STREAM_MS);
    expect(countsOf(session.id)).toMatchObject({ lives: 2, alarms: 1 });
    expect(await alarmIn(session.stub)).toBe(TTL_MS - MAX_STREAM_MS);
  });

  test("to the age of a stored message", async () => {
    const session = await openSession("brief");
    expect(await ringNext(session.stub)).toBe(PROVISIONAL_MS);
    await session.tool("burst", { tag: "aged", sizes: [1], on: "standalone" });
    expect(await alarmIn(session.stub)).toBe(120_000);
  });

  test("to nothing once the session is deleted", async () => {
    const session = await openSession("brief");
    await session.remove();
    expect(await alarmIn(session.stub)).toBeUndefined();
  });
});

describe("the alarm", () => {
  test("ends a stream at its age, whatever else is due before and at the time", async () => {
    const session = await openSession("brief");
    const lingering = await session.stream(toolCall("linger"));
    advance(1000);
    const stream = await session.get();
    const opened = Date.now();
    const rings: number[] = [];
    while (stream.state === "open" && rings.length < 20) {
      await session.tool("burst", { tag: `ring ${rings.length}`, sizes: [1], on: "standalone" });
      rings.push(await ringNext(session.stub));
      const isOver = await inspectObject(session.stub).then(({ sockets }) => sockets === 0);
      if (isOver) await stream.over;
    }
    expect(stream.state).toBe("ended");
    expect(Date.now() - opened).toBeGreaterThanOrEqual(MAX_STREAM_MS);
    expect(Date.now() - opened).toBeLessThanOrEqual(MAX_STREAM_MS + 1000);
    // The call's stream was older: the alarm rang for that one first.
    expect(rings.length).toBeGreaterThan(1);
    lingering.leave();
  });

  test("is never set again less than a second ahead, however late it rings", async () => {
    const session = await openSession("brief");
    const stream = await session.get();
    await session.tool("burst", { tag: "late", sizes: [1, 1, 1], on: "standalone" });
    const seen: number[] = [];
    for (let ring = 0; ring < 40; ring++) {
      const due = await alarmIn(session.stub);
      if (due === undefined) break;
      seen.push(due);
      // Late by more and more, until every duty that there is has been missed.
      advance(Math.max(0, due) + ring * 7919);
      await runDurableObjectAlarm(session.stub);
    }
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(1000);
    expect(await alarmIn(session.stub)).toBeUndefined();
    stream.leave();
  });

  test("is set again no closer than a second by one that rings early", async () => {
    const session = await openSession("brief");
    await session.tool("burst", { tag: "early", sizes: [1], on: "standalone" });
    advance(119_999);
    await runDurableObjectAlarm(session.stub);
    expect(await alarmIn(session.stub)).toBe(1000);
  });

  test.each([
    ["has lost its events", "DROP TABLE event"],
    ["has lost its streams", "DROP TABLE stream"],
    ["has lost its session", "DELETE FROM session"],
    ["has lost every table", "DROP TABLE session; DROP TABLE stream; DROP TABLE event; DROP TABLE entry"],
    ["holds a stream that cannot be read", "UPDATE stream SET pending = 'odd'"],
    ["holds a session of a kind unknown", "UPDATE session SET kind = 'odd', status = 'odd', seen = 'odd'"],
  ])("does not throw and does not run wild where storage %s", async (_, damage) => {
    const session = await openSession("brief");
    const call = await session.stream(toolCall("linger"));
    await session.tool("burst", { tag: "odd", sizes: [1], on: "standalone" });
    call.leave();
    await runInDurableObject(session.stub, (__, { storage }) => void storage.sql.exec(damage));
    // In the isolate that holds the session in memory, and in one that has to read it.
    await expect(ringNext(session.stub)).resolves.toBeGreaterThan(0);
    expect((await alarmIn(session.stub)) ?? Infinity).toBeGreaterThanOrEqual(1000);
    await evict(session.stub);
    await runInDurableObject(session.stub, (__, { storage }) => storage.setAlarm(Date.now() + 5000));
    await expect(ringNext(session.stub)).resolves.toBe(5000);
    expect((await alarmIn(session.stub)) ?? Infinity).toBeGreaterThanOrEqual(1000);
  });

  test("rings a few times an hour at most for a session that is idle with a stream open", async () => {
    const session = await openSession("calm");
    const stream = await session.get();
    await pass(session.stub, 3_600_000);
    expect(countsOf(session.id).alarms).toBe(12);
    expect(stream.state).toBe("open");
    stream.leave();
  });
});
