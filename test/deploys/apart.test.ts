/**
 * Two versions that cannot read each other, side by side: whoever cannot read says "come back", does nothing and
 * tells the operator, and once the versions meet again all is there. The later one is the tree with its numbers raised.
 */
import { describe, expect, test } from "vitest";
import { resumable } from "../support/interrupted.ts";
import { openSession, sessionAt } from "../support/mcp.ts";
import { numbersOf, toolCall, upTo } from "../support/messages.ts";
import { call, listen } from "../support/modern.ts";
import { eventually } from "../support/wait.ts";
import { deployed, expectComeBack } from "./later.ts";
import { numberIn, WIRE_FILE } from "./versions.ts";

const WIRE = numberIn(WIRE_FILE, "WIRE");

describe("the wire: a later edge before objects of this version", () => {
  const setup = deployed({ wire: WIRE + 2 });

  test("is told to come back, call by call, and nothing is done", async () => {
    const session = await setup.open();
    const later = sessionAt(setup.gradual.edge("later"), session);
    await session.tool("counter", { by: 1 });
    await expectComeBack(await later.post(toolCall("counter", { by: 1 }, { id: 7 })), 7);
    await expectComeBack(await later.post({ jsonrpc: "2.0", method: "notifications/roots/list_changed" }));
    await expectComeBack(await later.fetch("GET"));
    await expectComeBack(await later.fetch("DELETE"));
    expect(await session.tool("counter", { by: 1 })).toBe("2");
    await eventually(() =>
      expect(setup.logged("wire.unreadable")).toEqual(
        ["post", "post", "attach", "end"].map((what) => ({
          type: "wire.unreadable",
          level: "warn",
          time: expect.any(Number),
          at: "session",
          what,
          version: WIRE + 2,
          message: expect.stringContaining(String(WIRE + 2)) as string,
        })),
      ),
    );
  });

  test("opens no session, and leaves none behind", async () => {
    const { edge } = setup.gradual;
    await expect(openSession(edge("later"))).rejects.toThrow("503");
    expect(setup.logged("session.created")).toEqual([]);
  });
});

describe("the wire: an edge of this version before later objects", () => {
  const setup = deployed({ wire: WIRE + 2 });

  test("is told to come back, and finds the session again in an object that it can speak with", async () => {
    const session = await setup.open();
    expect(await session.tool("counter", { by: 1 })).toBe("1");
    await setup.gradual.move(session.id, "later");
    await expectComeBack(await session.post(toolCall("counter", { by: 1 }, { id: 7 })), 7);
    await expectComeBack(await session.fetch("GET"));
    const later = sessionAt(setup.gradual.edge("later"), session);
    expect(await later.tool("counter", { by: 1 })).toBe("2");
    await setup.gradual.move(session.id, "new");
    expect(await session.tool("counter", { by: 1 })).toBe("3");
  });

  test("dials again until it is understood: its client's stream stays open, and nothing is lost", async () => {
    const session = await setup.open();
    const later = sessionAt(setup.gradual.edge("later"), session);
    const stream = await session.get();
    await resumable(stream);
    await session.tool("emit", { count: 2, on: "standalone" });
    expect(numbersOf(await stream.messages(2))).toEqual(upTo(2));
    await setup.gradual.move(session.id, "later");
    await later.tool("emit", { count: 3, on: "standalone" });
    await eventually(() => expect(setup.logged("wire.unreadable").length).toBeGreaterThan(1));
    await setup.gradual.move(session.id, "new");
    expect(numbersOf(await stream.messages(3))).toEqual(upTo(3));
    await eventually(() => expect(setup.logged("connection.redialled")).toHaveLength(1));
    expect(setup.logged("connection.closed")).toEqual([]);
    stream.leave();
  });
});

describe("the wire: a hub of a later version", () => {
  const setup = deployed({ wire: WIRE + 2 }, "later");

  test("turns away who it cannot read, who is told so", async () => {
    const { edge } = setup.gradual;
    await call(edge("new"), "publish", { uri: "test://apart", from: 1, to: 1 });
    await expect(listen(edge("new"), { toolsListChanged: true })).rejects.toThrow();
    await eventually(() => expect(setup.logged("listen.publish_failed")).toHaveLength(1));
    const unread = setup.logged("wire.unreadable");
    expect(new Set(unread.map(({ at, what, version }) => `${at} ${what} ${version}`))).toEqual(
      new Set([`hub listen ${WIRE}`, `hub publish ${WIRE}`]),
    );
    // Its own are served.
    const stream = await listen(edge("later"), { toolsListChanged: true });
    await call(edge("later"), "test_trigger_tool_change");
    expect(await stream.message()).toMatchObject({ method: "notifications/tools/list_changed" });
    stream.leave();
  });
});
