/** C-36: a client comes back from events that are no longer held. */
import { describe, expect, test } from "vitest";
import { inspect } from "../support/back-door.ts";
import { describeBeside } from "../support/beside.ts";
import { expectNotFound } from "../support/gone.ts";
import { hosts, type Mortal, mortal } from "../support/hosts.ts";
import { numbersOf } from "../support/messages.ts";
import { type McpSession, openSession } from "../support/mcp.ts";
import { resumable } from "../support/interrupted.ts";
import { eventually } from "../support/wait.ts";

const KEPT = 10;
const SETTINGS = { HOLDFAST_MAX_EVENTS: String(KEPT), HOLDFAST_KEEPALIVE_INTERVAL_MS: "100" };
const SENT = 50;

const told = (server: Mortal, session: McpSession, type: string): ReturnType<Mortal["events"]> =>
  server.events().filter((event) => event.type === type && event["session"] === session.id.slice(0, 8));

/** A session whose client was primed, left, and missed more than is kept. */
async function missedMuch(server: Mortal): Promise<{ session: McpSession; cursor: string }> {
  const session = await openSession(server.url);
  const stream = await session.get();
  const cursor = await resumable(stream);
  stream.leave();
  // Until its keepalive finds out, the edge takes messages for a client that is gone.
  await eventually(() =>
    expect(server.events()).toContainEqual(
      expect.objectContaining({ type: "test.disconnect", sessionId: session.id }),
    ),
  );
  await session.tool("emit", { count: SENT, on: "standalone" });
  // The emitter goes on after its answer: it is done once the log has overflowed for the last time.
  await eventually(() => {
    const dropped = told(server, session, "queue.overflow").reduce(
      (sum, event) => sum + Number(event["dropped"]),
      0,
    );
    expect(dropped).toBeGreaterThanOrEqual(SENT - KEPT * 1.1);
  });
  return { session, cursor };
}

const gapsOf = (server: Mortal, session: McpSession): unknown[] =>
  told(server, session, "replay.gap").map(({ missed }) => missed);

describeBeside(hosts, "on $name", (host) => {
  describe('with onGap "404"', () => {
    const server = mortal(host, { ...SETTINGS, HOLDFAST_ON_GAP: "404" });

    test("the resume is refused and logged, and the session goes on without it", async () => {
      const { session, cursor } = await missedMuch(server);
      const refused = await session.fetch("GET", { "Last-Event-ID": cursor });
      // The session lives: there is no successor to go to.
      expect(await expectNotFound(refused)).toBeNull();
      await eventually(() => expect(gapsOf(server, session)).toEqual([expect.any(Number)]));
      expect(await session.tool("echo", { text: "alive" })).toBe("alive");

      const stream = await session.get();
      expect(numbersOf([await stream.message()])[0]).toBeGreaterThan(SENT - KEPT * 1.1);
      stream.leave();
    });

    test("a resume from what is still held is served", async () => {
      const { session } = await missedMuch(server);
      const stream = await session.get();
      await stream.message();
      const cursor = stream.lastEventId;
      const [next] = numbersOf([await stream.message()]);
      stream.leave();
      const resumed = await session.get(cursor);
      expect(numbersOf([await resumed.message()])).toEqual([next]);
      resumed.leave();
    });
  });

  describe('with onGap "continue"', () => {
    const server = mortal(host, { ...SETTINGS, HOLDFAST_ON_GAP: "continue" });

    test("the stream says how many are missing, and goes on after them", async () => {
      const { session, cursor } = await missedMuch(server);
      const stream = await session.get(cursor);
      const [first = 0] = numbersOf([await stream.message()]);
      expect(stream.seen).toContainEqual({
        type: "comment",
        text: expect.stringContaining(`gap: ${first - 1} events`) as string,
      });
      const rest = numbersOf(await stream.messages(SENT - first));
      expect(rest).toEqual(rest.map((_, n) => first + 1 + n));
      expect(rest.at(-1)).toBe(SENT);
      await eventually(() => expect(gapsOf(server, session)).toEqual([first - 1]));
      stream.leave();
    });
  });

  describe("with nothing left behind the gap", () => {
    const server = mortal(host, { HOLDFAST_MESSAGE_TTL_MS: "1200", HOLDFAST_KEEPALIVE_INTERVAL_MS: "100" });

    test("the client and the operator are told as it comes back, and once only", async () => {
      const session = await openSession(server.url);
      const stream = await session.get();
      const cursor = await resumable(stream);
      stream.leave();
      await eventually(() =>
        expect(server.events()).toContainEqual(
          expect.objectContaining({ type: "test.disconnect", sessionId: session.id }),
        ),
      );
      await session.tool("burst", { tag: "missed", sizes: [1, 1, 1], on: "standalone" });
      await eventually(async () => {
        const { tables } = await inspect(server.url, session.id);
        expect(tables["stream"]?.map(({ trimmed }) => trimmed)).toEqual([3]);
        expect(tables["event"]).toEqual([]);
      });
      const resumed = await session.get(cursor);
      await resumable(resumed);
      const gap = { type: "comment", text: "gap: 3 events before this place are no longer held" };
      expect(resumed.seen).toContainEqual(gap);
      await eventually(() => expect(gapsOf(server, session)).toEqual([3]));
      const place = resumed.lastEventId;
      resumed.leave();

      const again = await session.get(place);
      await session.tool("burst", { tag: "heard", sizes: [1], on: "standalone" });
      await again.message();
      expect(again.seen).not.toContainEqual(gap);
      // A log comes by a way of its own: once the call is in it, so is all that was told before.
      await eventually(() =>
        expect(told(server, session, "call.ended").filter(({ name }) => name === "burst")).toHaveLength(2),
      );
      expect(gapsOf(server, session)).toEqual([3]);
      again.leave();
    });
  });
});
