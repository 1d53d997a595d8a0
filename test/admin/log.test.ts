/** The log of a session: what has happened to it, where it is kept, how much of it, and what it costs who has none. */
import { describe, expect, test } from "vitest";
import { sessionsAdmin } from "../../src/admin/index.ts";
import { createSessionLogs } from "../../src/admin/log.ts";
import type { EventSink, HoldfastEvent } from "../../src/events.ts";
import { eventSink } from "../../src/event-sink.ts";
import { createLocalMcp } from "../../src/local/index.ts";
import type { SessionLogEntry, SessionDetail, SessionLog, SessionLogs } from "../../src/sessions.ts";
import { createStreams, type Streams } from "../../src/session/streams/streams.ts";
import { ENTRIES, sizeOf } from "../../bench/lib/sizes.ts";
import { abortObject, inspect } from "../support/back-door.ts";
import { clusterOf } from "../support/cluster-subject.ts";
import { countedStore } from "../support/counted-store.ts";
import { SESSION_ROW as row } from "../support/session-row.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { poster } from "../support/in-process.ts";
import { resumable } from "../support/interrupted.ts";
import { openSse } from "../support/http-sse.ts";
import { initialize, notification, toolCall } from "../support/messages.ts";
import { openSession } from "../support/mcp.ts";
import { serve } from "../support/subject.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd } from "../support/workerd.ts";

const OPERATOR = { Authorization: "Bearer operator" };
const SECRET = "the-secret-of-the-call";

async function detailOf(server: { readonly url: string }, id: string): Promise<SessionDetail> {
  const answer = await fetch(`${server.url}/admin/sessions/${id}`, { headers: OPERATOR });
  expect(answer.status).toBe(200);
  return (await answer.json()) as SessionDetail;
}
async function logOf(server: { readonly url: string }, id: string): Promise<SessionLog> {
  const { log } = await detailOf(server, id);
  if (log === undefined) throw new Error("there is no log");
  return log;
}

/** An entry in one word or a few. */
const inShort = ({ type, name, outcome, redialled, reason, replayed }: SessionLogEntry): string =>
  [type, name, outcome, redialled === true && "again", reason, replayed]
    .filter((part) => part !== undefined && part !== false)
    .join(" ");

describe.each([...hosts, clusterOf("a cluster", ["node", "node"])])("on $name", (host) => {
  describe("kept", () => {
    const server = serve(host, {
      TEST_ADMIN: "on",
      TEST_SESSIONS: "on",
      TEST_AUTH: "on",
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "300",
    });
    const headers = { Authorization: "Bearer amy:1" };

    test("calls, connections, resumes, in order, and nothing that was said", async () => {
      const session = await openSession(server.url, { headers });
      await session.tool("echo", { text: SECRET });
      await (await session.post(toolCall("test_error_handling"))).text();
      const standing = await session.get();
      await session.tool("burst", { tag: SECRET, sizes: [10, 10], on: "standalone" });
      await standing.messages(1);
      const { lastEventId: first } = standing;
      await standing.messages(1);
      standing.leave();
      await eventually(async () =>
        expect((await logOf(server, session.id)).entries.at(-1)?.type).toBe("stream.detached"),
      );
      const again = await session.get(first);
      const calling = await session.stream(toolCall("sleep", { ms: 600_000, secret: SECRET }));
      await calling.next();
      const another = await session.get();
      await another.next();
      const log = await eventually(async () => {
        const read = await logOf(server, session.id);
        expect(read.entries.at(-1)?.type).toBe("stream.attached");
        expect(read.entries.at(-2)?.["reason"]).toBe("replaced");
        return read;
      });
      expect(log.entries.map(inShort)).toEqual([
        "call.ended ok",
        "session.created",
        "call.ended echo ok",
        "tool.threw",
        "call.ended test_error_handling tool-error",
        "stream.attached",
        "call.ended burst ok",
        "stream.detached client",
        "stream.resumed 1",
        "stream.attached",
        "call.started sleep",
        "stream.attached",
        "stream.detached replaced",
        "stream.attached",
      ]);
      expect(log.dropped).toBe(0);
      const times = log.entries.map(({ time }) => time);
      expect(times.toSorted((a, b) => a - b)).toEqual(times);
      expect(times[0]).toBeGreaterThanOrEqual(log.since);
      const told = JSON.stringify(log);
      for (const secret of [SECRET, session.id, "Bearer", "amy", "intentionally"]) {
        expect(told).not.toContain(secret);
      }
      for (const stream of [again, calling, another]) stream.leave();
    });

    test("HTTP+SSE too; a cancelled call; an end by its client leaves nothing to ask for", async () => {
      const sse = await openSse(server.url, { headers });
      await sse.initialize();
      const call = toolCall("sleep", { ms: 600_000 });
      const calling = sse.post(call);
      await eventually(async () =>
        expect((await logOf(server, sse.id)).entries.at(-1)).toMatchObject({
          type: "call.started",
          name: "sleep",
        }),
      );
      await sse.post(notification("notifications/cancelled", { requestId: call.id }));
      await calling;
      const { entries } = await logOf(server, sse.id);
      expect(entries.map(inShort)).toEqual([
        "session.created",
        "stream.attached",
        "call.started",
        "call.ended ok",
        "call.started sleep",
        "call.ended sleep cancelled",
      ]);
      sse.stream.leave();
    });
  });

  describe("killed", () => {
    const server = mortal(host, { TEST_ADMIN: "on", TEST_SESSIONS: "on", HOLDFAST_RETRY_MS: "300" });

    test("it is memory's: after a restart it begins anew, and says since when", async () => {
      const session = await openSession(server.url);
      await session.tool("echo", { text: "one" });
      const calling = await resumable(await session.stream(toolCall("hang", { tag: "t", streams: true })));
      const before = await logOf(server, session.id);
      await server.restart();
      await (await session.get(calling)).rest();
      await session.tool("echo", { text: "two" });
      const { since, entries } = await logOf(server, session.id);
      expect(since).toBeGreaterThan(before.since);
      const lines = entries.map(inShort);
      expect(lines).toEqual(expect.arrayContaining(["session.interrupted", "call.ended interrupted"]));
      expect(lines.slice(-2)).toEqual(["session.rehydrated", "call.ended echo ok"]);
      expect(lines.filter((line) => line === "call.ended echo ok").length).toBe(1);
    });
  });
});

describe("on workerd", () => {
  test("an edge that dials again, after the object was reset, is told as that", async () => {
    const server = await startWorkerd({ vars: { TEST_ADMIN: "on" } });
    try {
      const session = await openSession(server.url);
      const standing = await session.get();
      await standing.next();
      await abortObject(server.url, session.id);
      await eventually(async () =>
        expect((await logOf(server, session.id)).entries.map(inShort)).toContain("stream.attached again"),
      );
      standing.leave();
    } finally {
      await server.close();
    }
  });

  test("no row is written for it, and no request more is made", async () => {
    const cost = async (vars: Record<string, string>): Promise<unknown> => {
      const server = await startWorkerd({ vars });
      try {
        const session = await openSession(server.url);
        const stream = await session.get();
        await session.tool("echo", { text: "one" });
        await session.tool("burst", { tag: "t", sizes: [10], on: "standalone" });
        await stream.messages(1);
        const { fetches, rowsWritten } = await inspect(server.url, session.id);
        stream.leave();
        return { fetches, rowsWritten };
      } finally {
        await server.close();
      }
    };
    const without = await cost({});
    expect(without).toMatchObject({ rowsWritten: expect.any(Number) });
    expect(await cost({ TEST_ADMIN: "on" })).toEqual(without);
  });
});

describe("in one process", () => {
  const rig = (admin: boolean, evictAfterMs = 60_000) => {
    const mcp = createLocalMcp({
      createServer: createTestServer,
      logLevel: "silent",
      env: false,
      evictAfterMs,
      ...(admin && { admin: sessionsAdmin(() => undefined) }),
    });
    const open = async (): Promise<{ id: string; call(name: string): Promise<void> }> => {
      const send = poster(mcp);
      const id = (await send(initialize())).headers.get("mcp-session-id") ?? "";
      return { id, call: async (name) => void (await (await send(toolCall(name), id)).text()) };
    };
    return { mcp, open };
  };

  test("without `admin` there is none", async () => {
    const { mcp, open } = rig(false);
    const { id, call } = await open();
    await call("settle");
    const detail = await mcp.sessions.get(id);
    expect([detail?.status, detail?.log]).toEqual(["active", undefined]);
    await mcp.close();
  });

  test("nor does a stream gather anything for one; with it, each does", () => {
    const limits = { maxEvents: 1, maxStoredBytes: 1e6, maxSessionEvents: 1, maxSessionBytes: 1e6 };
    const streams = (emit: EventSink): Streams =>
      createStreams({ row, store: countedStore().store, limits, now: Date.now, emit });
    const info = eventSink(undefined, "info");
    expect(streams(info).standalone.hooks.links).toBeUndefined();
    expect(streams(createSessionLogs().noting("one", info)).standalone.hooks.links).toBeDefined();
  });

  test("no entry has it in its bundle but its own", async () => {
    for (const entry of ENTRIES) {
      const { sources } = await sizeOf(entry);
      const isIn = sources.includes("src/admin/log.ts");
      expect([entry.name, isIn]).toEqual([entry.name, entry.name === "holdfast/admin"]);
    }
  });

  test("it outlives its session's time in memory", async () => {
    const { mcp, open } = rig(true, 10);
    const { id, call } = await open();
    await call("settle");
    await eventually(() => expect(mcp.host.inMemory).toBe(0));
    const asleep = (await mcp.sessions.get(id))?.log;
    expect(asleep?.entries.map(inShort)).toEqual([
      "call.ended ok",
      "session.created",
      "call.ended settle ok",
    ]);
    await call("settle");
    const woken = (await mcp.sessions.get(id))?.log;
    expect([woken?.since, woken?.entries.map(inShort)]).toEqual([
      asleep?.since,
      [...(asleep?.entries.map(inShort) ?? []), "session.rehydrated", "call.ended settle ok"],
    ]);
    await mcp.close();
  });
});

describe("what is kept", () => {
  const quiet = eventSink(undefined, "silent");
  const ended = (logs: SessionLogs, id: string, call: string, streamed: boolean): void => {
    const emit = logs.noting(id, quiet);
    const of = { call, method: "tools/call", name: call, session: "s", era: "session" } as never;
    emit("call.started", of);
    emit("call.ended", { ...(of as object), outcome: "ok", ms: 1, streamed, bytes: 1 } as never);
  };
  const names = (logs: SessionLogs, id: string): unknown[] | undefined =>
    logs.read(id)?.entries.map(({ type, name }) => `${type} ${String(name)}`);

  test("has a bound, of which is told how much had to go", () => {
    const logs = createSessionLogs({ most: 3 });
    for (const call of ["a", "b", "c", "d"]) ended(logs, "one", call, false);
    expect(names(logs, "one")).toEqual(["call.ended b", "call.ended c", "call.ended d"]);
    expect(logs.read("one")?.dropped).toBe(1);
    ended(logs, "one", "e", true);
    expect(names(logs, "one")).toEqual(["call.ended d", "call.started e", "call.ended e"]);
    expect(logs.read("one")?.dropped).toBe(3);
  });

  test("has a bound over all sessions: the one that was silent for longest goes, whole", () => {
    const logs = createSessionLogs({ mostInAll: 6 });
    ended(logs, "one", "a", false);
    ended(logs, "two", "b", false);
    ended(logs, "one", "c", false);
    ended(logs, "three", "d", false);
    expect(names(logs, "one")).toEqual(["call.ended a", "call.ended c"]);
    expect(names(logs, "two")).toBeUndefined();
    expect(names(logs, "three")).toEqual(["call.ended d"]);
    // Sessions of which nothing is heard count too.
    for (let n = 0; n < 20; n++) logs.noting(`silent ${n}`, quiet);
    expect([names(logs, "one"), names(logs, "three"), logs.read("silent 19")?.entries]).toEqual([
      undefined,
      undefined,
      [],
    ]);
  });

  test("is told in full to those who listen, as before", () => {
    const heard: HoldfastEvent[] = [];
    const logs = createSessionLogs();
    const emit = logs.noting(
      "one",
      eventSink((event) => heard.push(event), "info"),
    );
    const thrown = { session: "s", tool: "t", message: "secret", stack: "secret", reference: undefined };
    emit("tool.threw", () => thrown);
    emit("request.error", { method: "m", message: "other" });
    expect(heard).toMatchObject([{ type: "tool.threw", ...thrown }, { type: "request.error" }]);
    expect(logs.read("one")?.entries).toEqual([
      { time: expect.any(Number), type: "tool.threw", tool: "t", reference: undefined },
    ]);
    expect(createSessionLogs().noting("one", quiet).hears?.("request")).toBe(false);
    expect(createSessionLogs().noting("one", quiet).hears?.("call.ended")).toBe(true);
  });

  test("begins anew where the session was elsewhere meanwhile", () => {
    const logs = createSessionLogs();
    ended(logs, "one", "a", false);
    logs.forget("one");
    expect(logs.read("one")).toBeUndefined();
    logs.noting("one", quiet);
    expect(logs.read("one")?.entries).toEqual([]);
  });
});
