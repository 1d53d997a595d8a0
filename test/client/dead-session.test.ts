/** What was meant for a dead session does not reach the new one. */
import { describe, expect, test, vi } from "vitest";
import { recoveringFetch } from "../../src/client/index.ts";
import { notification } from "../support/messages.ts";
import { SDKS } from "./support/clients.ts";
import { named, opened, sessionOf } from "./support/named-session.ts";
import { readMessages, URL_OF_SCRIPT } from "./support/raw-session.ts";
import { createScript, openStream, type ScriptStream } from "./support/script.ts";

describe("what was meant for the dead session", () => {
  test("notifications are dropped, and the session is opened anew behind them", async () => {
    const { script, session, events } = await opened();
    script.sessions.clear();
    const answer = await session.post(notification("notifications/roots/list_changed"));
    expect(answer.status).toBe(202);
    await events.nth("reinitialized");
    expect(script.of("notifications/roots/list_changed")).toHaveLength(1);
  });

  test("answers are dropped, even when another request has opened the session anew before them", async () => {
    const { script, session } = await opened();
    script.sessions.clear();
    expect(await sessionOf(await session.call("tools/list"))).toBe("session-2");
    const before = script.sent.length;
    const answer = await session.post({ jsonrpc: "2.0", id: 0, result: { action: "accept" } });
    expect(answer.status).toBe(202);
    expect(script.sent).toHaveLength(before);
  });

  test.each(SDKS)(
    "$name: a question of the dead session, answered late, does not answer the new one's",
    async (sdk) => {
      const streams: ScriptStream[] = [];
      const script = createScript((given) => {
        if (given.method !== "GET") return named(given);
        const stream = openStream(given.signal);
        streams.push(stream);
        return stream.response;
      });
      const client = await sdk.connect(
        URL_OF_SCRIPT,
        recoveringFetch({ fetch: script.fetch, retry: { initialDelayMs: 1, maxDelayMs: 1 } }),
      );
      const answers = new Map<string, (answer: string) => void>();
      const asked: string[] = [];
      client.answer = (question) =>
        new Promise((resolve) => {
          asked.push(question);
          answers.set(question, resolve);
        });
      const ask = (message: string): object => ({
        jsonrpc: "2.0",
        id: 0,
        method: "elicitation/create",
        params: { message, requestedSchema: { type: "object", properties: {} } },
      });
      await script.nth("GET", 1);
      streams[0]?.send(ask("delete everything?"));
      await vi.waitFor(() => expect(asked).toEqual(["delete everything?"]));
      script.sessions.clear();
      await client.call("echo", { text: "x" });
      await script.nth("GET", 2);
      streams[1]?.send(ask("say hello?"));
      await vi.waitFor(() => expect(asked).toEqual(["delete everything?", "say hello?"]));
      answers.get("delete everything?")?.("yes, delete");
      answers.get("say hello?")?.("hello");
      await vi.waitFor(() => expect(posted()).toHaveLength(1));
      expect(posted()).toEqual([
        { jsonrpc: "2.0", id: 0, result: { action: "accept", content: { answer: "hello" } } },
      ]);
      await client.close();
      function posted(): unknown[] {
        return script.sent.map(({ message }) => message).filter((message) => message?.result !== undefined);
      }
    },
  );

  /** A client in its second session, that listens there. */
  const moved = async () => {
    let stream: ScriptStream | undefined;
    const { script, session } = await opened({}, (given) => {
      if (given.method !== "GET") return named(given);
      stream = openStream(given.signal);
      return stream.response;
    });
    script.sessions.clear();
    await session.call("tools/list");
    const messages = readMessages(await session.get());
    return { script, session, messages, stream };
  };

  test("a question that the new session calls off is named as the client knows it", async () => {
    const { script, session, messages, stream } = await moved();
    stream?.send({ jsonrpc: "2.0", id: 0, method: "roots/list" });
    stream?.send({
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId: 0, reason: "late" },
    });
    stream?.send({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: 0 } });
    const { id } = await messages.next();
    expect(id).not.toBe(0);
    expect(await messages.next()).toMatchObject({ params: { requestId: id, reason: "late" } });
    expect(await messages.next()).toEqual({
      jsonrpc: "2.0",
      method: "notifications/message",
      params: { level: "info", data: 0 },
    });
    await session.post({ jsonrpc: "2.0", id: id as string, result: { roots: [] } });
    expect(script.sent.at(-1)?.message).toEqual({ jsonrpc: "2.0", id: 0, result: { roots: [] } });
  });

  test("a batch of questions arrives as it was sent", async () => {
    const { messages, stream } = await moved();
    const batch = [0, 1].map((id) => ({ jsonrpc: "2.0", id, method: "roots/list" }));
    stream?.send(batch);
    expect(await messages.next()).toEqual(batch);
  });
});
