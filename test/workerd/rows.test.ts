/** What a session costs, as the platform counts it: rows written, alarms included, and calls of the object. */
import { describe, expect, test } from "vitest";
import { notification, request, toolCall } from "../support/messages.ts";
import { inspectObject, openSession, type PoolSession, startSession } from "./client.ts";
import { advance, pass, useClock } from "./clock.ts";
import { countsOf } from "./index.ts";

useClock();

/** Rows written and calls taken by what `act` does. */
async function cost(
  { id }: PoolSession,
  act: () => Promise<unknown>,
): Promise<{ rows: number; calls: number }> {
  const { fetches } = countsOf(id);
  const rows = countsOf(id).rowsWritten();
  await act();
  return { rows: countsOf(id).rowsWritten() - rows, calls: countsOf(id).fetches - fetches };
}

/** Calls a tool whose answer is streamed, and reads to the end. */
async function slow(session: PoolSession, sizes: readonly number[]): Promise<void> {
  const stream = await session.stream(toolCall("burst", { tag: "slow", sizes, on: "request" }));
  await stream.over;
}

describe("a session", () => {
  test("is opened with twelve rows at most, in two calls", async () => {
    const session = await openSession("calm");
    const { fetches } = countsOf(session.id);
    expect(countsOf(session.id).rowsWritten()).toBeLessThanOrEqual(12);
    expect(fetches).toBe(2);
  });

  test("writes nothing for a call that is answered at once, in one call", async () => {
    const session = await openSession("calm");
    const quick = (): Promise<unknown> => session.tool("echo", { text: "quick" });
    for (let n = 0; n < 5; n++) expect(await cost(session, quick)).toEqual({ rows: 0, calls: 1 });
  });

  test('is in use from its first message on: one row, which "initialized" writes anyway', async () => {
    const session = await startSession("calm");
    const initialized = notification("notifications/initialized");
    expect(await cost(session, () => session.post(initialized))).toEqual({ rows: 1, calls: 1 });
    const silent = await startSession("calm");
    expect(await cost(silent, () => silent.tool("echo", { text: "first" }))).toEqual({ rows: 1, calls: 1 });
    expect(await cost(silent, () => silent.tool("echo", { text: "second" }))).toEqual({ rows: 0, calls: 1 });
  });

  test("looks once whether it was ever used, and moves its alarm to its end: one row", async () => {
    const session = await openSession("calm");
    const spent = await cost(session, () => pass(session.stub, 3_000_000));
    expect(spent.rows).toBe(1);
    expect(countsOf(session.id).alarms).toBe(1);
  });

  test("writes a row for a streamed call, one for each of its messages, and moves its alarm once", async () => {
    const session = await openSession("calm");
    await pass(session.stub, 300_000);
    // The stream, two messages, the answer; and the alarm, which was set to the session's end.
    expect(await cost(session, () => slow(session, [1, 1]))).toEqual({ rows: 5, calls: 1 });
    expect(await cost(session, () => slow(session, [1, 1, 1]))).toEqual({ rows: 5, calls: 1 });
  });

  test("writes nothing for a stream that is opened soon: its alarm rings early enough", async () => {
    const session = await openSession("calm");
    expect(await cost(session, () => session.get())).toEqual({ rows: 0, calls: 1 });
  });

  test("moves its alarm for a stream that is opened later, in one call, and writes nothing for the next", async () => {
    const session = await openSession("calm");
    await pass(session.stub, 300_000);
    const first = await cost(session, () => session.get());
    expect(first).toEqual({ rows: 1, calls: 1 });
    expect(await cost(session, () => session.get())).toEqual({ rows: 0, calls: 1 });
  });

  test("that is in use has its row written once in a tenth of its time at most", async () => {
    const session = await openSession("brief");
    const tenth = 60_000;
    const spent = await cost(session, async () => {
      // Fifty requests in each of six tenths of its time to live.
      for (let n = 0; n < 300; n++) {
        await (await session.post(request("ping"))).text();
        advance((6 * tenth) / 300);
      }
    });
    expect(spent.calls).toBe(300);
    expect(spent.rows).toBeGreaterThan(0);
    expect(spent.rows).toBeLessThanOrEqual(6);
  });

  test("with a stream open has its row written once in a tenth of its time at most, and its alarm set as often", async () => {
    const session = await openSession("calm");
    await session.get();
    const tenth = 360_000;
    const spent = await cost(session, () => pass(session.stub, 10 * tenth));
    expect(countsOf(session.id).alarms).toBe(12);
    expect(spent.rows).toBeLessThanOrEqual(10 + 12);
    expect((await inspectObject(session.stub)).tables["session"]).toHaveLength(1);
  });
});
