/** Progress that the transport reports for calls that report none: clients' time-outs begin anew with it. @module */
import { describe, expect, test } from "vitest";
import { openSse } from "../support/http-sse.ts";
import { answerOf, openSession, post } from "../support/mcp.ts";
import { type Message, toolCall } from "../support/messages.ts";
import { headersFor, modernRequest } from "../support/modern.ts";
import { type EventStream, readEvents } from "../support/sse.ts";
import { serve, type Subject } from "../support/subject.ts";

const HEARTBEAT_MS = 120;

const progressOf = ({ method, params }: Message): number[] =>
  method === "notifications/progress" ? [Number(params?.["progress"])] : [];

function expectRising(values: readonly number[]): void {
  for (const [index, value] of values.entries()) {
    if (index > 0) expect(value).toBeGreaterThan(values[index - 1] as number);
  }
}

export function testHeartbeats(subject: Subject): void {
  describe.concurrent("a call that asked for progress", () => {
    const server = serve(subject, { HOLDFAST_PROGRESS_HEARTBEAT_MS: String(HEARTBEAT_MS) });

    /** Each way to call, as a stream of what comes of it. */
    const WAYS: Record<string, (args: object, progressToken?: string) => Promise<EventStream>> = {
      async "in a session"(args, progressToken) {
        const session = await openSession(server.url);
        return session.stream(toolCall("sleep", { ...args }, progressToken ? { progressToken } : {}));
      },
      async "without a session"(args, progressToken) {
        const call = toolCall("sleep", { ...args }, progressToken ? { progressToken } : {});
        return readEvents(await post(`${server.url}/mcp`, call));
      },
      async "of 2026-07-28"(args, progressToken) {
        const meta = progressToken === undefined ? {} : { _meta: { progressToken } };
        const call = modernRequest("tools/call", { name: "sleep", arguments: args, ...meta });
        return readEvents(await post(`${server.url}/mcp`, call, headersFor(call)));
      },
    };

    describe.each(Object.entries(WAYS))("%s", (_, start) => {
      test("and hears nothing hears heartbeats, which rise, until its answer", async () => {
        const messages = await (await start({ ms: 3000 }, "p")).rest();
        const values = messages.flatMap(progressOf);
        expect(values.length).toBeGreaterThanOrEqual(3);
        expectRising(values);
        expect(values.at(-1)).toBeLessThan(0.001);
        expect(
          messages.every(({ method, params }) => method === undefined || params?.["progressToken"] === "p"),
        ).toBe(true);
        expect(messages.at(-1)).toHaveProperty("result");
      });

      test("and reports by itself now and then hears both, and what the tool says as it says it", async () => {
        const values = (await (await start({ ms: 3000, steps: 2 }, "p")).rest()).flatMap(progressOf);
        expectRising(values);
        expect(values).toEqual(expect.arrayContaining([1, 2]));
        expect(values.length).toBeGreaterThan(4);
      });

      test("and reports often is left alone", async () => {
        const values = (await (await start({ ms: 1000, steps: 40 }, "p")).rest()).flatMap(progressOf);
        expect(values.filter(Number.isInteger)).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
      });

      test("or did not gets none", async () => {
        const messages = await (await start({ ms: 700 })).rest();
        expect(messages.flatMap(progressOf)).toEqual([]);
        expect(messages.at(-1)).toHaveProperty("result");
      });
    });

    test("over HTTP+SSE hears heartbeats on the session's stream", async () => {
      const session = await openSse(server.url);
      const call = toolCall("sleep", { ms: 2000 }, { progressToken: "s" });
      await session.post(call);
      const values: number[] = [];
      await session.stream.message((message) => {
        values.push(...progressOf(message));
        return message.id === call.id;
      });
      expect(values.length).toBeGreaterThanOrEqual(2);
      expectRising(values);
      session.stream.leave();
    });

    test("by a client that reads JSON alone hears heartbeats where it listens, and keeps none for later", async () => {
      const session = await openSession(server.url);
      const call = toolCall("sleep", { ms: 500 }, { progressToken: "j" });
      const json = { Accept: "application/json" };
      expect(await answerOf(await session.post(call, json))).toHaveProperty("result");
      const stream = await session.get();
      const answered = session.post({ ...call, id: "again" }, json);
      expect((await stream.message()).method).toBe("notifications/progress");
      await answered;
      const [first] = stream.seen.filter((item) => item.type === "event" && item.data !== "");
      expect(first).toMatchObject({ id: undefined });
      stream.leave();
    });
  });
}
