/** What crosses between edge and object, whatever its size; and what an object finds on a WebSocket as it wakes. */
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { socketState } from "../../worker/links.ts";
import { Unreadable, WIRE } from "../../src/wire/version.ts";
import { type Message, toolCall } from "../support/messages.ts";
import { type PoolSession, evict, fetchWorker, inspectObject, openSession } from "./client.ts";
import { countsOf, SIZES } from "./index.ts";

/** Calls of the object that `act` takes. */
async function callsOf({ id }: PoolSession, act: () => Promise<unknown>): Promise<number> {
  const { fetches } = countsOf(id);
  await act();
  return countsOf(id).fetches - fetches;
}

/** More than the runtime serialises for a call by RPC: 32 MiB, two bytes a character. */
const HUGE = 17_000_000;

const lengthOf = async (answer: Response): Promise<number | undefined> => {
  const { result } = (await answer.json()) as Message;
  const [block] = (result?.["content"] ?? []) as { text?: string }[];
  return block?.text?.length;
};

describe("a call crosses in one call of the object", () => {
  test.each([10, 1_000_000, 1_100_000, HUGE])("with an answer of %i characters", async (size) => {
    const session = await openSession("roomy");
    const calls = await callsOf(session, async () => {
      expect(await lengthOf(await session.post(toolCall("fill", { size })))).toBe(size);
    });
    expect(calls).toBe(1);
  });

  test.each([10, 1_000_000, 1_100_000, HUGE])("with a text of %i characters", async (size) => {
    const session = await openSession("roomy");
    const calls = await callsOf(session, async () => {
      expect(await session.tool("length", { of: "→".repeat(size) })).toBe(String(size));
    });
    expect(calls).toBe(1);
  });

  test("with a notification, a batch, and a message that is turned away", async () => {
    const session = await openSession("calm", "2025-03-26");
    const post = async (message: unknown, status: number): Promise<unknown> => {
      let body: unknown;
      const calls = await callsOf(session, async () => {
        const answer = await session.post(message as Message);
        expect(answer.status).toBe(status);
        body = status === 202 ? await answer.text() : await answer.json();
      });
      expect(calls).toBe(1);
      return body;
    };
    await post({ jsonrpc: "2.0", method: "notifications/roots/list_changed" }, 202);
    const batch = ["one", "two"].map((text) => toolCall("echo", { text }));
    expect(await post(batch, 200)).toMatchObject(batch.map(({ id }) => ({ id })));
    await session.remove();
    expect(await post(toolCall("echo", { text: "late" }), 404)).toMatchObject({ error: { code: -32001 } });
  });
});

describe("a stream is asked for", () => {
  /** GETs the standalone stream with credentials of this size. */
  const get = (session: PoolSession, size: number): Promise<Response> =>
    fetchWorker("/roomy/mcp", {
      headers: { Accept: "text/event-stream", "Mcp-Session-Id": session.id, [SIZES]: String(size) },
    });

  test.each([
    [100, 1],
    // Sent ahead, since no header holds it.
    [10_000, 2],
    [1_000_000, 2],
  ])("with credentials of %i characters, in %i calls of the object", async (size, expected) => {
    const session = await openSession("roomy");
    const calls = await callsOf(session, async () => {
      const answer = await get(session, size);
      expect(answer.status).toBe(200);
      await answer.body?.cancel();
    });
    expect(calls).toBe(expected);
  });
});

describe("a WebSocket's attachment", () => {
  const state = { connectionId: "c1", stream: 7, openedAt: 1, place: 3 };

  test("is read, of this version and of the one before, with what it does not know", () => {
    for (const held of [state, { ...state, wire: WIRE }, { ...state, wire: WIRE, more: 1 }]) {
      expect(socketState(held)).toEqual(held);
    }
  });

  test.each([
    [null],
    ["c1"],
    [{ ...state, wire: WIRE + 1 }],
    [{ ...state, wire: "1" }],
    [{ ...state, connectionId: undefined }],
    [{ ...state, stream: "7" }],
    [{ ...state, place: Number.NaN }],
  ])("is not read: %j", (held) => expect(() => socketState(held)).toThrow(Unreadable));
});

describe("an object that wakes", () => {
  test("lets a link go whose attachment it cannot read: the edge dials again, and its client sees nothing", async () => {
    const session = await openSession("calm");
    const stream = await session.get();
    await session.tool("burst", { tag: "before", sizes: [1, 1], on: "standalone" });
    await stream.until(() => stream.messages.length >= 3, "what came before");
    await runInDurableObject(session.stub, (_, state) => {
      for (const socket of state.getWebSockets()) {
        socket.serializeAttachment({ ...socketState(socket.deserializeAttachment()), wire: WIRE + 1 });
      }
    });
    await evict(session.stub);
    await session.tool("burst", { tag: "after", sizes: [1, 1], on: "standalone" });
    await stream.until(() => stream.messages.length >= 5, "what came after");
    expect(stream.state).toBe("open");
    expect(stream.messages.map(({ data }) => (data === "" ? "" : JSON.parse(data).params.data.tag))).toEqual([
      "",
      "before",
      "before",
      "after",
      "after",
    ]);
    expect((await inspectObject(session.stub)).sockets).toBe(1);
    stream.leave();
  });
});
