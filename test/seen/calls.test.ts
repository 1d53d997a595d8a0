/** Each call is told once as it begins and once as it ends, in every era, with its outcome and without what was said. */
import { describe, expect, test } from "vitest";
import { describeBeside } from "../support/beside.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { request, toolCall } from "../support/messages.ts";
import { openSse } from "../support/http-sse.ts";
import { openSession, post } from "../support/mcp.ts";
import { modernRequest, postModern } from "../support/modern.ts";
import { resumable } from "../support/interrupted.ts";
import { taskClient } from "../support/tasks.ts";
import { serve } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";
import { ERAS, SECRET } from "./script.ts";

type Event = { readonly type: string; readonly [field: string]: unknown };

const calls = (events: readonly Event[], type: string): Event[] =>
  events.filter((event) => event.type === type);
const told = ({ method, name, outcome, streamed }: Event): object => ({
  method,
  ...(name !== undefined && { name }),
  outcome,
  streamed: outcome === "cancelled" ? undefined : streamed,
});

describeBeside(hosts, "on $name", (host) => {
  describe("scripted", () => {
    // Where a runtime sees a client leave by a write alone, a keepalive is one.
    const server = serve(host, {
      TEST_EVENTS: "on",
      TEST_AUTH: "on",
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "300",
    });
    const isHanging = (tag: string): Promise<void> =>
      eventually(() =>
        expect(server.lines.some((line) => line.includes(`"test.hanging","tag":"${tag}"`))).toBe(true),
      );

    // One after the other: requests without a session are told apart by nothing but the time.
    test.each(ERAS)("$name: exactly these calls, each with its outcome", async ({ run, origin }) => {
      const from = server.events().length;
      const expected = await run(server.url, isHanging);
      const own = (): Event[] =>
        server
          .events()
          .slice(from)
          .filter(({ type }) => type.startsWith("call.") || type === "tool.threw");
      await eventually(() =>
        expect(calls(own(), "call.ended").length).toBeGreaterThanOrEqual(expected.told.length),
      );
      const ended = calls(own(), "call.ended");
      expect(ended.map(told)).toEqual(expected.told);
      // Each began, once, and is known by the same name; in the session eras what is refused does not begin.
      const started = calls(own(), "call.started").filter(({ name }) => name !== "guarded");
      const begun = ended.filter(({ outcome }) => outcome !== "refused");
      expect(started.map(({ call, method, name }) => [call, method, name])).toEqual(
        begun.map(({ call, method, name }) => [call, method, name]),
      );
      expect(new Set(started.map(({ call }) => call)).size).toBe(begun.length);
      const session = expected.session?.slice(0, 8);
      for (const event of [...ended.slice(1), ...started.slice(1)]) {
        expect(event).toMatchObject(origin);
        expect(event["session"]).toBe(session);
      }
      const principals = new Set(own().flatMap(({ principal }) => principal ?? []));
      expect([principals.size, principals.has("amy")]).toEqual([1, false]);
      for (const { ms, bytes, outcome, name, attempts, time } of ended) {
        expect([attempts, typeof time]).toEqual([1, "number"]);
        expect(Number(ms)).toBeGreaterThanOrEqual(name === "sleep" ? 250 : 0);
        if (outcome === "cancelled" || outcome === "refused") expect(bytes).toBe(0);
        else expect(bytes).toBeGreaterThan(20);
      }
      // Whoever runs the server learns where the tool failed; its client has what its SDK said.
      expect(calls(own(), "tool.threw")).toEqual([
        expect.objectContaining({
          level: "warn",
          tool: "test_error_handling",
          message: expect.stringContaining("intentionally"),
          stack: expect.stringMatching(/at .*\n/),
        }),
      ]);
      for (const { session: of } of calls(own(), "tool.threw")) expect(of).toBe(session);
      const log = server.events().filter(({ type }) => !type.startsWith("test."));
      const leaks = [SECRET, "Bearer", expected.session ?? SECRET].filter((text) =>
        JSON.stringify(log).includes(text),
      );
      expect(leaks).toEqual([]);
    });

    test("the trace that a call belongs to is told: of its `_meta`, else of its header, and nothing that is none", async () => {
      const session = await openSession(server.url, { headers: { Authorization: "Bearer amy:1" } });
      const one = "00-11111111111111111111111111111111-1111111111111111-01";
      const two = "00-22222222222222222222222222222222-2222222222222222-01";
      const inMeta = request("tools/list", { _meta: { traceparent: one, tracestate: "a=1" } });
      await session.post(inMeta, { traceparent: two });
      await session.post(request("tools/list"), { traceparent: two });
      await session.post(request("tools/list", { _meta: { traceparent: SECRET } }), { traceparent: "none" });
      await session.post(request("tools/list", { _meta: { traceparent: one, tracestate: "\u0007" } }));
      const short = session.id.slice(0, 8);
      await eventually(() => {
        const lists = calls(server.events(), "call.started").filter(
          (event) => event["session"] === short && event["method"] === "tools/list",
        );
        expect(lists.map(({ traceparent, tracestate }) => [traceparent, tracestate])).toEqual([
          [one, "a=1"],
          [two, undefined],
          [undefined, undefined],
          [one, undefined],
        ]);
      });
    });
  });

  test("turned away by its session: refused, and it never began", async () => {
    const server = await host.start({ TEST_EVENTS: "on", HOLDFAST_MAX_IN_FLIGHT: "1" });
    try {
      const session = await openSession(server.url);
      const first = await session.stream(toolCall("sleep", { ms: 600_000 }));
      await first.next();
      await (await session.post(toolCall("echo", { text: SECRET }))).text();
      await session.fetch("DELETE");
      await first.rest();
      const short = session.id.slice(0, 8);
      const of = (type: string): Event[] =>
        calls(server.events(), type).filter((event) => event["session"] === short);
      await eventually(() => expect(of("call.ended").length).toBe(3));
      expect(of("call.ended").map(told)).toEqual([
        { method: "initialize", outcome: "ok", streamed: false },
        { method: "tools/call", name: "echo", outcome: "refused", streamed: false },
        // Its session was ended under it: the code of that error.
        { method: "tools/call", name: "sleep", outcome: -32000, streamed: true },
      ]);
      expect(of("call.started").map(({ name }) => name)).toEqual([undefined, "sleep"]);
    } finally {
      await server.close();
    }
  });

  test("a task's call is one of its own, beside the request that began it", async () => {
    const server = await host.start({ TEST_EVENTS: "on" });
    try {
      const client = taskClient(() => server.url);
      const done = await client.start("task_wait", { ms: 50, secret: SECRET });
      await client.until(done.taskId, "completed");
      const own = (type: string): unknown[][] =>
        calls(server.events(), type)
          .filter(({ method }) => method === "tools/call")
          .map(({ era, name, outcome, attempts }) => [era, name, outcome, attempts]);
      const long = await client.start("task_wait", { ms: 600_000 });
      // Cancelled before it began, it would have been turned away.
      await eventually(() => expect(own("call.started").length).toBe(4));
      await client.cancel(long.taskId);
      await eventually(() => expect(own("call.ended").length).toBe(4));
      expect(own("call.ended")).toEqual([
        ["modern", "task_wait", "ok", 1],
        ["task", "task_wait", "ok", 1],
        ["modern", "task_wait", "ok", 1],
        ["task", "task_wait", "cancelled", 1],
      ]);
      expect(own("call.started").map(([era]) => era)).toEqual(["modern", "task", "modern", "task"]);
      const log = server.events().filter(({ type }) => !type.startsWith("test."));
      expect(JSON.stringify(log)).not.toContain(SECRET);
      expect(JSON.stringify(log)).not.toContain(long.taskId);
    } finally {
      await server.close();
    }
  });

  describe("killed", () => {
    const server = mortal(host, { TEST_EVENTS: "on", TEST_RERUN: "sleep", HOLDFAST_RETRY_MS: "300" });

    test.each(["2025-03-26", "2025-06-18", "2025-11-25"])(
      "%s: a call that dies with its process is told as interrupted; one that runs again, as its next attempt",
      async (version) => {
        const session = await openSession(server.url, { version });
        const hang = await resumable(await session.stream(toolCall("hang", { tag: "t", streams: true })));
        // Versions without a priming event have none to come back from before the first message.
        const paced = toolCall("sleep", { ms: 2000, steps: 10 });
        paced.params = { ...paced.params, _meta: { progressToken: "paced" } };
        const sleep = await resumable(await session.stream(paced));
        await server.restart();
        for (const lastEventId of [hang, sleep]) await (await session.get(lastEventId)).rest();
        const short = session.id.slice(0, 8);
        await eventually(() => {
          const ended = calls(server.events(), "call.ended").filter((event) => event["session"] === short);
          expect(ended.slice(1).map(({ outcome, attempts, name }) => [outcome, attempts, name])).toEqual([
            // What was not kept to run again, nobody knows the name of.
            ["interrupted", 1, undefined],
            ["ok", 2, "sleep"],
          ]);
        });
        const started = calls(server.events(), "call.started").filter((event) => event["session"] === short);
        expect(started.map(({ name, attempts }) => [name, attempts])).toEqual([
          [undefined, 1],
          ["hang", 1],
          ["sleep", 1],
          ["sleep", 2],
        ]);
      },
    );

    test("http+sse: the same, told as its client comes back to its stream", async () => {
      const session = await openSse(server.url);
      await session.initialize();
      const call = toolCall("hang", { tag: "t" });
      await session.post(call);
      await server.restart();
      const again = await openSse(server.url, { lastEventId: session.stream.lastEventId });
      await again.stream.message(({ id }) => id === call.id);
      const short = session.id.slice(0, 8);
      await eventually(() => {
        const ended = calls(server.events(), "call.ended").filter((event) => event["session"] === short);
        expect(ended.slice(1)).toEqual([
          expect.objectContaining({ outcome: "interrupted", attempts: 1, transport: "http+sse" }),
        ]);
      });
      again.stream.leave();
    });

    // Nothing of it is stored, so nobody is left who could know: its client sees its connection break.
    test.each([
      ["request", (url: string) => post(`${url}/mcp`, toolCall("hang", { tag: "t", streams: true }))],
      [
        "2026-07-28",
        (url: string) =>
          postModern(
            url,
            modernRequest("tools/call", { name: "hang", arguments: { tag: "t", streams: true } }),
          ),
      ],
    ] as const)("%s: a call that dies with its process is told as begun, and no more", async (_era, send) => {
      const from = server.events().length;
      // Heard from the start: it breaks while the server is being started again.
      const broken = expect(send(server.url).then((response) => response.text())).rejects.toThrow();
      const names = (type: string): unknown[][] =>
        calls(server.events().slice(from), type).map(({ name, outcome }) => [name, outcome]);
      await eventually(() => expect(names("call.started")).toEqual([["hang", undefined]]));
      await server.restart();
      await broken;
      await (await openSession(server.url)).tool("echo", { text: "after" });
      await eventually(() => expect(names("call.ended").at(-1)).toEqual(["echo", "ok"]));
      expect(names("call.ended").filter(([name]) => name === "hang")).toEqual([]);
    });
  });
});
