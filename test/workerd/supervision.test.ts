/** How a session tells edges that are alive from edges that are gone, without being woken for it. */
import { describe, expect, test, vi } from "vitest";
import { encodeAttach } from "../../worker/wire-attach.ts";
import { PATHS } from "../../worker/wire.ts";
import { type PoolSession, evict, inspectObject, openSession } from "./client.ts";
import { countsOf } from "./index.ts";

interface Edge {
  readonly socket: WebSocket;
  /** What the session said as it ended the link. */
  readonly ended: Promise<string>;
}

/** An edge that holds a link and does nothing with it. */
async function dial(session: PoolSession): Promise<Edge> {
  const { headers } = encodeAttach({
    opens: false,
    transport: "streamable",
    caller: { principal: undefined, authInfo: undefined, url: "https://holdfast.test", headers: () => ({}) },
    connectionId: crypto.randomUUID(),
    lastEventId: undefined,
    redial: false,
  });
  const { webSocket } = await session.stub.fetch(PATHS.attach, { headers });
  if (webSocket === null) throw new Error("the session took no link");
  webSocket.accept();
  const ended = new Promise<string>((resolve) =>
    webSocket.addEventListener("close", ({ reason }) => resolve(reason)),
  );
  return { socket: webSocket, ended };
}

describe("an edge", () => {
  test("that has been silent for too many keepalives loses its link, and the session stays", async () => {
    const session = await openSession("watched");
    const edge = await dial(session);
    expect(await edge.ended).toBe("failures");
    const { sockets, tables } = await inspectObject(session.stub);
    expect(sockets).toBe(0);
    expect(tables["session"]).toMatchObject([{ status: "active" }]);
    expect(await session.tool("echo", { text: "still here" })).toBe("still here");
  });

  test("that pings keeps its link, while one that is silent loses it", async () => {
    const alive = await openSession("watched");
    const silent = await openSession("watched");
    const [kept, lost] = await Promise.all([dial(alive), dial(silent)]);
    const pings = setInterval(() => kept.socket.send("ping"), 100);
    try {
      expect(await lost.ended).toBe("failures");
      // Looked at, and found alive.
      await vi.waitFor(() => expect(countsOf(alive.id).alarms).toBeGreaterThan(2), { timeout: 10_000 });
      expect((await inspectObject(alive.stub)).sockets).toBe(1);
    } finally {
      clearInterval(pings);
      kept.socket.close();
    }
  });

  test("that has events to pass on all the time, and so no keepalive to send, keeps its link", async () => {
    const session = await openSession("watched");
    const stream = await session.get();
    const sizes = Array.from({ length: 150 }, () => 10);
    await session.tool("burst", { tag: "busy", sizes, intervalMs: 30, on: "standalone" });
    await stream.until(() => stream.messages.length === sizes.length + 1, "all messages");
    expect(countsOf(session.id).alarms).toBeGreaterThan(2);
    expect(stream.state).toBe("open");
    stream.leave();
  });

  test("that is alive and has nothing to do keeps its client's stream", async () => {
    const session = await openSession("watched");
    const stream = await session.get();
    await vi.waitFor(() => expect(countsOf(session.id).alarms).toBeGreaterThan(2), { timeout: 10_000 });
    expect(stream.state).toBe("open");
    stream.leave();
  });
});

describe("an object", () => {
  test("is not woken by its edges' pings", async () => {
    const session = await openSession("pinging");
    const stream = await session.get();
    await evict(session.stub);
    const before = { ...countsOf(session.id) };
    const keepalives = (): number => stream.comments.filter((text) => text === "keepalive").length;
    const seen = keepalives();
    // Each keepalive that the client sees is a ping that the object is sent.
    await stream.until(() => keepalives() >= seen + 20, "keepalives");
    expect(countsOf(session.id)).toMatchObject({
      lives: before.lives,
      socketMessages: before.socketMessages,
      alarms: before.alarms,
      fetches: before.fetches,
    });
    expect(before.lives).toBe(1);
    await session.tool("burst", { tag: "woken", sizes: [1], on: "standalone" });
    await stream.until(() => stream.messages.length === 2, "what is said after it woke");
    expect(countsOf(session.id).lives).toBe(2);
    stream.leave();
  });

  test("that has just woken knows which of its edges were alive while it slept", async () => {
    const session = await openSession("watched");
    const stream = await session.get();
    for (let nights = 0; nights < 4; nights++) {
      const { alarms } = countsOf(session.id);
      await evict(session.stub);
      await vi.waitFor(() => expect(countsOf(session.id).alarms).toBeGreaterThan(alarms), {
        timeout: 10_000,
      });
    }
    expect(stream.state).toBe("open");
    stream.leave();
  });
});
