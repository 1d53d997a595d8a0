/** B35: calls that are in progress when the process is killed. */
import { describe, expect, test } from "vitest";
import { describeBeside } from "../support/beside.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { interrupted, LONG, resumable } from "../support/interrupted.ts";
import { numbersOf, toolCall, upTo } from "../support/messages.ts";
import { openSession } from "../support/mcp.ts";
import { SDKS } from "../support/sdk-clients.ts";
import { isPriming } from "../support/sse.ts";
import { eventually } from "../support/wait.ts";

describeBeside(hosts, "on $name", (host) => {
  const server = mortal(host, { HOLDFAST_RETRY_MS: "300" });

  describe.each(SDKS.filter(({ resumesCalls }) => resumesCalls))("client $name", (sdk) => {
    test("a call in progress at the kill ends by the client's own resume, with one error", async () => {
      const client = await sdk.connect(server.url);
      client.sent.length = 0;
      const call = client.call("sleep", LONG);
      const ended = call.then(
        () => undefined,
        (error: unknown) => error,
      );
      // Primed: from here on the client can resume.
      await eventually(() => expect(client.sent.at(-1)?.received).toContain("id: "));
      await server.kill();
      await server.restart();

      expect(await ended).toMatchObject({
        code: -32603,
        data: { reason: "interrupted", retryable: false },
      });
      const resumes = client.sent.filter(({ headers }) => headers.has("last-event-id"));
      expect(resumes.some(({ status }) => status === 200)).toBe(true);
      const posted = client.sent.filter(({ method }) => method === "POST");
      expect(posted.map(({ message }) => message?.method)).toEqual(["tools/call"]);
      // SDK v1 takes no error for an answer and asks for more. Told that there is none, it stops.
      expect(await client.call("sleep", { ms: 700 })).toBe("slept");
      const after = client.sent.filter(
        ({ headers, status }) => headers.has("last-event-id") && status === 204,
      );
      expect(after).toHaveLength(sdk.name === "1.32.2" ? 1 : 0);
      const last = after[0]?.headers.get("last-event-id");
      expect(resumes.filter(({ headers }) => headers.get("last-event-id") === last).length).toBeLessThan(2);
      await client.close();
    });
  });

  test("an interrupted call's stream carries exactly one error, and closes", async () => {
    const session = await openSession(server.url);
    const call = toolCall("sleep", LONG);
    const cursor = await resumable(await session.stream(call));
    await server.kill();
    await server.restart();

    const resumed = await session.get(cursor);
    expect(await resumed.rest()).toEqual([interrupted(call.id)]);
    expect(resumed.seen.filter(isPriming)).toHaveLength(1);
    // The error is kept like any answer: whoever lost it gets it again, once; whoever has it, nothing.
    expect(await (await session.get(cursor)).rest()).toEqual([interrupted(call.id)]);
    const nothing = await session.fetch("GET", { "Last-Event-ID": resumed.lastEventId });
    expect(nothing.status).toBe(204);
    expect(await nothing.text()).toBe("");
  });

  test("events sent before the kill are replayed before the error", async () => {
    const session = await openSession(server.url, { version: "2025-06-18" });
    const call = toolCall("sleep", { ms: 600_000, steps: 6000 }, { progressToken: "p" });
    const stream = await session.stream(call);
    // This revision has no priming: the first event with an id is the first progress.
    expect(await stream.message()).toMatchObject({ params: { progress: 1 } });
    const cursor = stream.lastEventId;
    const seen = [await stream.message(), await stream.message()];
    await server.kill();
    await server.restart();

    const rest = await (await session.get(cursor)).rest();
    expect(rest.slice(0, 2)).toEqual(seen);
    expect(rest.at(-1)).toEqual(interrupted(call.id));
    expect(rest.filter(({ error }) => error !== undefined)).toHaveLength(1);
    const progress = rest.slice(0, -1).map(({ params }) => params?.["progress"]);
    expect(progress).toEqual(progress.map((_, index) => index + 2));
  });

  test("two calls in flight under one id each get an error of their own", async () => {
    const session = await openSession(server.url);
    const calls = [toolCall("sleep", LONG, { id: 1 }), toolCall("sleep", LONG, { id: 1 })];
    const streams = await Promise.all(calls.map((call) => session.stream(call)));
    const cursors = await Promise.all(streams.map(resumable));
    expect(new Set(cursors).size).toBe(2);
    await server.kill();
    await server.restart();

    const rests = await Promise.all(cursors.map(async (cursor) => (await session.get(cursor)).rest()));
    expect(rests).toEqual([[interrupted(1)], [interrupted(1)]]);
    await eventually(() =>
      expect(server.events()).toContainEqual(
        expect.objectContaining({
          type: "session.interrupted",
          session: session.id.slice(0, 8),
          calls: 2,
        }),
      ),
    );
  });

  test("a batch keeps the answers it has, and gets an error for each of the rest", async () => {
    const session = await openSession(server.url, { version: "2025-03-26" });
    const quick = toolCall("echo", { text: "done before" }, { id: "quick" });
    const stream = await session.stream([quick, toolCall("sleep", LONG, { id: "slow" })]);
    expect(await stream.message()).toMatchObject({ id: "quick" });
    const cursor = stream.lastEventId;
    await server.kill();
    await server.restart();
    expect(await (await session.get(cursor)).rest()).toEqual([interrupted("slow")]);
  });

  test("a call that was cancelled before the kill is owed nothing", async () => {
    const session = await openSession(server.url);
    const kept = await resumable(await session.stream(toolCall("sleep", LONG, { id: "kept" })));
    const dropped = await session.stream(toolCall("sleep", LONG, { id: "dropped" }));
    const cursor = await resumable(dropped);
    await session.post({
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: "dropped" },
    });
    expect(await dropped.rest()).toEqual([]);
    await server.kill();
    await server.restart();
    expect(await (await session.get(kept)).rest()).toEqual([interrupted("kept")]);
    expect((await session.fetch("GET", { "Last-Event-ID": cursor })).status).toBe(204);
  });

  test("a client that comes back twice, the second time without an event id, gets nothing twice", async () => {
    // Before 2025-11-25 a resumed stream is not primed: a client that hears nothing on it forgets where it was.
    const session = await openSession(server.url, { version: "2025-06-18" });
    const emit = (count: number): Promise<unknown> => session.tool("emit", { count, on: "standalone" });
    const first = await session.get();
    await emit(3);
    await first.messages(3);
    await server.kill();
    await server.restart();
    const second = await session.get(first.lastEventId);
    await second.next();
    expect(second.lastEventId).toBeUndefined();
    await server.kill();
    await server.restart();
    const third = await session.get();
    await emit(5);
    expect(numbersOf(await third.messages(5))).toEqual(upTo(5));
    third.leave();
  });

  test("an answer that was made but not fetched before the kill is still there after it", async () => {
    const session = await openSession(server.url);
    const call = toolCall("sleep", { ms: 300 });
    const stream = await session.stream(call);
    const cursor = await resumable(stream);
    expect(await stream.message()).toHaveProperty("result");
    await server.kill();
    await server.restart();
    const rest = await (await session.get(cursor)).rest();
    expect(rest).toMatchObject([{ id: call.id, result: { content: [{ text: "slept" }] } }]);
  });

  describe("with the defaults of both sides", () => {
    const plain = mortal(host);

    test("a call in progress at the kill ends within the few times that clients try", async () => {
      const resuming = SDKS.filter(({ resumesCalls }) => resumesCalls);
      const clients = await Promise.all(resuming.map((sdk) => sdk.connect(plain.url, { patient: false })));
      const calls = clients.map((client) => client.call("sleep", LONG));
      const ended = Promise.allSettled(calls);
      await eventually(() => {
        for (const { sent } of clients) expect(sent.at(-1)?.received).toContain("id: ");
      });
      await plain.kill();
      await plain.restart();
      for (const outcome of await ended) {
        expect(outcome).toMatchObject({ status: "rejected", reason: { data: { reason: "interrupted" } } });
      }
      await Promise.all(clients.map((client) => client.close()));
    });
  });
});
