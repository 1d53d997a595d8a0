/** Promise 15: edges and objects of two versions side by side understand each other, whichever is the older. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { abortObject, doomObject } from "../support/back-door.ts";
import { openSse } from "../support/http-sse.ts";
import { interrupted, LONG, resumable } from "../support/interrupted.ts";
import { openSession, sessionAt } from "../support/mcp.ts";
import { type Message, numbersOf, textOf, toolCall, upTo } from "../support/messages.ts";
import { call, listen } from "../support/modern.ts";
import type { EventStream } from "../support/sse.ts";
import { type Gradual, startGradual, type Version } from "./gradual.ts";

const SIDES = ["old", "new"] as const;
const pairs = SIDES.flatMap((one) => SIDES.map((other): [Version, Version] => [one, other]));
const otherThan = (version: Version): Version => (version === "old" ? "new" : "old");

const progressOf = (messages: readonly Message[]): unknown[] =>
  messages
    .filter(({ method }) => method === "notifications/progress")
    .map(({ params }) => params?.["progress"]);

describe.each(pairs)("an edge of the %s version before objects of the %s", (edge, objects) => {
  let gradual: Gradual;
  let url: string;
  beforeAll(async () => {
    gradual = await startGradual({
      versions: ["old", "new"],
      objects,
      // Long enough for an object to die in.
      vars: { HOLDFAST_QUICK_ANSWER_MS: "300" },
    });
    url = gradual.edge(edge);
  });
  afterAll(() => gradual?.server.close());

  test("has quick calls answered, each with its own answer", async () => {
    const session = await openSession(url);
    const texts = upTo(30).map((n) => `call ${n}`);
    const answers = await Promise.all(texts.map((text) => session.tool("echo", { text })));
    expect(answers).toEqual(texts);
    expect(await session.tool("counter", { by: 2 })).toBe("2");
    expect(await session.tool("counter", { by: 3 })).toBe("5");
  });

  test("carries a call's stream", async () => {
    const session = await openSession(url);
    const stream = await session.stream(toolCall("sleep", { ms: 400, steps: 8 }, { progressToken: "p" }));
    const rest = await stream.rest();
    expect(progressOf(rest)).toEqual(upTo(8));
    expect(textOf(rest.at(-1) ?? {})).toBe("slept");
  });

  test("carries a standalone stream, which an edge of the other version resumes", async () => {
    const session = await openSession(url);
    const other = sessionAt(gradual.edge(otherThan(edge)), session);
    const emit = (count: number): Promise<string | undefined> =>
      session.tool("emit", { count, on: "standalone" });
    const stream = await session.get();
    const primed = await resumable(stream);
    await emit(5);
    expect(numbersOf(await stream.messages(5))).toEqual(upTo(5));
    const { lastEventId } = stream;
    stream.leave();
    await emit(3);
    const resumed = await other.get(lastEventId);
    expect(numbersOf(await resumed.messages(3))).toEqual(upTo(3));
    resumed.leave();
    const all = await session.get(primed);
    expect(numbersOf(await all.messages(8))).toEqual([...upTo(5), ...upTo(3)]);
    all.leave();
  });

  test("answers once for a call whose object dies, and its stream goes on with the next object", async () => {
    const session = await openSession(url);
    const standalone = await session.get();
    await resumable(standalone);
    await doomObject(url, session.id, 1);
    const quick = toolCall("sleep", LONG);
    expect(await (await session.post(quick)).json()).toEqual(interrupted(quick.id));
    const long = toolCall("sleep", { ms: 600_000, steps: 6000 }, { progressToken: "p" });
    const stream = await session.stream(long);
    await stream.messages(2);
    await abortObject(url, session.id);
    expect((await stream.rest()).at(-1)).toEqual(interrupted(long.id));
    await session.tool("emit", { count: 2, on: "standalone" });
    expect(numbersOf(await standalone.messages(2))).toEqual([1, 2]);
    standalone.leave();
  });

  test("serves HTTP+SSE", async () => {
    const session = await openSse(url);
    await session.initialize();
    expect(await session.tool("echo", { text: "2024" })).toBe("2024");
    session.stream.leave();
  });

  test("ends a session on its client's word", async () => {
    const session = await openSession(url);
    expect((await session.fetch("DELETE")).status).toBe(204);
    expect((await session.post(toolCall("echo", { text: "gone" }))).status).toBe(404);
  });

  test("has read all that came", () => {
    expect(gradual.server.events().filter(({ type }) => type === "wire.unreadable")).toEqual([]);
  });
});

/** The numbers of the next changes that a stream brings. */
const numbers = async (stream: EventStream, count: number): Promise<unknown[]> =>
  (await stream.messages(count)).map(({ params }) => params?.["n"]);

describe.each(pairs)("a hub of the %s version, and sessions of the %s", (hub, objects) => {
  let gradual: Gradual;
  beforeAll(async () => {
    gradual = await startGradual({ versions: ["old", "new"], objects, hub });
  });
  afterAll(() => gradual?.server.close());

  test("bring what either version publishes to listeners and sessions of both", async () => {
    const uri = "test://deploys/watched";
    const sessions = [];
    const listeners = [];
    for (const version of SIDES) {
      const session = await openSession(gradual.edge(version));
      await session.request({ jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } });
      sessions.push(session);
      listeners.push(await listen(gradual.edge(version), { resourceSubscriptions: [uri] }));
    }
    for (const [n, version] of SIDES.entries()) {
      const [from, to] = [n * 3 + 1, n * 3 + 3];
      expect(await call(gradual.edge(version), "publish", { uri, from, to })).toBe("published");
      for (const stream of listeners) expect(await numbers(stream, 3)).toEqual([from, from + 1, to]);
    }
    for (const session of sessions) {
      const stream = await session.get();
      expect(await numbers(stream, 6)).toEqual(upTo(6));
      stream.leave();
    }
    for (const stream of listeners) stream.leave();
  });
});
