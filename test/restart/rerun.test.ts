/** B35: interrupted calls of tools that are safe to run again. */
import { describe, expect, test } from "vitest";
import { describeBeside } from "../support/beside.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { interrupted, LONG, resumable } from "../support/interrupted.ts";
import { toolCall } from "../support/messages.ts";
import { openSession } from "../support/mcp.ts";
import { SDKS } from "../support/sdk-clients.ts";
import { eventually } from "../support/wait.ts";

describeBeside(hosts, "on $name", (host) => {
  const server = mortal(host, { HOLDFAST_RETRY_MS: "300", TEST_RERUN: "sleep,ask,drop" });

  describe.each(SDKS.filter(({ resumesCalls }) => resumesCalls))("client $name", (sdk) => {
    test("a call in progress at the kill runs again, and its client gets the result", async () => {
      const client = await sdk.connect(server.url);
      client.sent.length = 0;
      const call = client.call("sleep", { ms: 600 });
      await eventually(() => expect(client.sent.at(-1)?.received).toContain("id: "));
      await server.kill();
      await server.restart();
      expect(await call).toBe("slept");
      expect(client.sent.filter(({ method }) => method === "POST")).toHaveLength(1);
      await client.close();
    });
  });

  test("progress of the second run follows that of the first, under ids that go on", async () => {
    const session = await openSession(server.url);
    const call = toolCall("sleep", { ms: 900, steps: 15 }, { progressToken: "p" });
    const stream = await session.stream(call);
    await stream.messages(2);
    const cursor = stream.lastEventId;
    await server.kill();
    await server.restart();

    const resumed = await session.get(cursor);
    const rest = await resumed.rest();
    expect(rest.at(-1)).toMatchObject({ id: call.id, result: { content: [{ text: "slept" }] } });
    const progress = rest.slice(0, -1).map(({ params }) => params?.["progress"]);
    // The first run's progress that was under way at the kill, then all of the second's.
    const second = progress.lastIndexOf(1);
    expect(progress.slice(second)).toEqual(Array.from({ length: 15 }, (_, n) => n + 1));
    expect(progress.slice(0, second)).toEqual(Array.from({ length: second }, (_, n) => n + 3));
    const ids = resumed.seen.flatMap((item) => (item.type === "event" ? [item.id] : []));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("a question that the second run asks again is answered once, by whoever resumed", async () => {
    const session = await openSession(server.url, { capabilities: { elicitation: {} } });
    const call = toolCall("ask", { message: "well?" });
    const stream = await session.stream(call);
    const first = await stream.message(({ method }) => method === "elicitation/create");
    await server.kill();
    await server.restart();

    const resumed = await session.get(stream.lastEventId);
    const second = await resumed.message(({ method }) => method === "elicitation/create");
    // Under another id: an answer to the first question cannot be taken for one to the second.
    expect(second.id).not.toBe(first.id);
    const answer = (id: unknown, word: string): unknown => ({
      jsonrpc: "2.0",
      id,
      result: { action: "accept", content: { answer: word } },
    });
    expect((await session.post(answer(first.id, "too late"))).status).toBe(202);
    expect((await session.post(answer(second.id, "in time"))).status).toBe(202);
    expect(await resumed.rest()).toMatchObject([
      {
        id: call.id,
        result: { content: [{ text: JSON.stringify({ action: "accept", answer: "in time" }) }] },
      },
    ]);
  });

  test("a call is given up after three attempts, with an error that says it may be retried", async () => {
    const session = await openSession(server.url);
    const call = toolCall("sleep", LONG);
    let stream = await session.stream(call);
    const cursor = await resumable(stream);
    for (let attempt = 1; attempt < 3; attempt++) {
      await server.kill();
      await server.restart();
      stream = await session.get(cursor);
      // Running again: nothing has been said but the stream is open.
      await resumable(stream);
    }
    await server.kill();
    await server.restart();
    expect(await (await session.get(cursor)).rest()).toEqual([interrupted(call.id, true)]);
  });

  test("two calls under one id run again side by side, each on its own stream", async () => {
    const session = await openSession(server.url);
    const calls = [toolCall("sleep", { ms: 300 }, { id: 1 }), toolCall("sleep", { ms: 300 }, { id: 1 })];
    const streams = await Promise.all(calls.map((call) => session.stream(call)));
    const cursors = await Promise.all(streams.map(resumable));
    await server.kill();
    await server.restart();
    const rests = await Promise.all(cursors.map(async (cursor) => (await session.get(cursor)).rest()));
    for (const rest of rests)
      expect(rest).toMatchObject([{ id: 1, result: { content: [{ text: "slept" }] } }]);
  });

  test("a call that runs again can end the standalone stream's connection, not its own", async () => {
    const session = await openSession(server.url);
    const call = toolCall("drop", { ms: 600 });
    const cursor = await resumable(await session.stream(call));
    await server.kill();
    await server.restart();
    const standalone = await session.get();
    const resumed = await session.get(cursor);
    expect(await resumed.rest()).toMatchObject([{ id: call.id, result: { content: [{ text: "dropped" }] } }]);
    expect(await standalone.rest()).toEqual([]);
  });

  test("a call waits for somebody to resume before it runs again", async () => {
    const session = await openSession(server.url);
    const call = toolCall("sleep", { ms: 300 });
    const cursor = await resumable(await session.stream(call));
    await server.kill();
    await server.restart();
    expect(await session.tool("echo", { text: "meanwhile" })).toBe("meanwhile");
    expect(await (await session.get(cursor)).rest()).toMatchObject([
      { id: call.id, result: { content: [{ text: "slept" }] } },
    ]);
  });
});
