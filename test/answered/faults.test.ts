/** What servers of each SDK do wrong, on a process and on a Durable Object: each call ends, and nothing is said after its end. */
import { describe, expect, test } from "vitest";
import { hosts } from "../support/hosts.ts";
import { openSse } from "../support/http-sse.ts";
import { answerOf, type McpSession, openSession } from "../support/mcp.ts";
import { LATEST, type Message, notification, request, textOf, toolCall } from "../support/messages.ts";
import { expectNotNow } from "../support/not-now.ts";
import { type Served, serve } from "../support/subject.ts";
import { eventually, within } from "../support/wait.ts";
import { SDKS, type Unwritable, UNWRITABLE, type Wayward } from "../support/wayward.ts";

const call = (args: Wayward, id?: string): Message =>
  toolCall("wayward", { ...args }, id === undefined ? {} : { id });

const kinds = Object.keys(UNWRITABLE) as Unwritable[];

/** What the server printed under a tag. */
function told(server: Served, type: string, tag: string): { [field: string]: unknown }[] {
  return server.events().filter((event) => event.type === type && event["tag"] === tag);
}

const reasonOf = ({ error }: Message): unknown => (error?.data as { reason?: unknown } | undefined)?.reason;

/** The session serves its next call: with a new server where the last one is gone. */
async function expectServes(session: McpSession): Promise<void> {
  const answer = await session.request(call({ act: "answer", tag: "next" }));
  expect(textOf(answer)).toBe("answered next");
}

describe.each(hosts)("on $name", (host) => {
  describe.concurrent.each(SDKS)("with SDK %s", (sdk) => {
    const server = serve(host, {
      TEST_SDK: `wayward ${sdk}`,
      TEST_EVENTS: "on",
      HOLDFAST_MAX_IN_FLIGHT: "3",
    });

    describe("an answer that JSON cannot hold is one error", () => {
      test.each(kinds.flatMap((what) => [0, 250].map((ms) => ({ what, ms }))))(
        "$what, after $ms ms",
        async ({ what, ms }) => {
          const session = await openSession(server.url);
          const sent = call({ act: "unwritable", what, ms });
          const answer = await within(session.request(sent), "the answer");
          expect(answer.id).toBe(sent.id);
          // A newer V8 writes what overflows the stack of an older one.
          if (what === "deep" && answer.result !== undefined) return;
          // Newer SDKs find some of it themselves.
          expect(answer.error?.code).toBeOneOf([-32603, -32602]);
          await expectServes(session);
        },
      );

      test("with its reason, and the operator is told which tool it was", async () => {
        const session = await openSession(server.url);
        const answer = await session.request(call({ act: "unwritable", what: "bigint" }));
        expect(answer.error).toMatchObject({ code: -32603, data: { reason: "unserialisable" } });
        const event = {
          type: "call.failed",
          level: "warn",
          time: expect.any(Number),
          session: session.id.slice(0, 8),
          method: "tools/call",
          tool: "wayward",
          reason: "unserialisable",
          message: "Do not know how to serialize a BigInt",
        };
        await eventually(() => expect(server.events()).toContainEqual(event));
      });

      test("for a client that reads JSON alone", async () => {
        const session = await openSession(server.url);
        for (const ms of [0, 250]) {
          const sent = call({ act: "unwritable", what: "cycle", ms });
          const answer = await within(session.post(sent, { Accept: "application/json" }), "an answer");
          expect(reasonOf(await answerOf(answer))).toBe("unserialisable");
        }
      });

      test("over HTTP+SSE", async () => {
        const session = await openSse(server.url);
        await session.initialize();
        for (const ms of [0, 250]) {
          const answer = await session.request(call({ act: "unwritable", what: "throws", ms }));
          expect(reasonOf(answer)).toBe("unserialisable");
        }
        session.stream.leave();
      });
    });

    test("what is thrown need not be an error", async () => {
      const session = await openSession(server.url);
      for (const ms of [0, 250]) {
        const sent = call({ act: "throw nothing", ms });
        const answer = await within(session.request(sent), "the answer");
        expect(answer).toMatchObject({ id: sent.id, error: { code: -32603 } });
      }
      await expectServes(session);
    });

    test("of two answers the first counts", async () => {
      const session = await openSession(server.url);
      for (const ms of [0, 250]) {
        const answer = await session.request(call({ act: "answer twice", ms, tag: "once" }));
        expect(textOf(answer)).toBe("answered once");
      }
    });

    describe("a server that closes itself", () => {
      test.each([0, 250])(
        "after %i ms: what is in flight is interrupted, and another is built",
        async (ms) => {
          const session = await openSession(server.url);
          const other = await session.stream(call({ act: "never", tag: "other" }, "other"));
          const answer = await within(session.request(call({ act: "close", ms })), "the answer");
          expect(answer.error).toMatchObject({ code: -32603, data: { reason: "interrupted" } });
          expect((await other.rest()).map(reasonOf)).toEqual(["interrupted"]);
          await expectServes(session);
          await eventually(() =>
            expect(server.events()).toContainEqual(
              expect.objectContaining({
                type: "session.server_closed",
                session: session.id.slice(0, 8),
                calls: 2,
              }),
            ),
          );
        },
      );

      test("over HTTP+SSE, and for a client that reads JSON alone", async () => {
        const sse = await openSse(server.url);
        await sse.initialize();
        expect(reasonOf(await sse.request(call({ act: "close", ms: 250 })))).toBe("interrupted");
        expect(textOf(await sse.request(call({ act: "answer", tag: "x" })))).toBe("answered x");
        sse.stream.leave();

        const session = await openSession(server.url);
        const closed = await session.post(call({ act: "close" }), { Accept: "application/json" });
        expect(reasonOf(await answerOf(closed))).toBe("interrupted");
        await expectServes(session);
      });
    });

    test.each([
      ["an unknown member", { x: 1 }],
      ["params that are none to the SDK", { params: { _meta: [] } }],
      ["a progress token of no kind", { params: { _meta: { progressToken: {} } } }],
      ["a result beside the method", { result: {} }],
    ])("a request with %s is answered", async (_, more) => {
      const session = await openSession(server.url);
      const sent = { ...request("ping"), ...more };
      for (const headers of [{}, { Accept: "application/json" }]) {
        const response = await within(session.post(sent, headers), "a head");
        const { id, error, result } = await within(answerOf(response), "an answer");
        expect([id, error === undefined ? result : expect.anything()]).toEqual([sent.id, result ?? error]);
      }
      await expectServes(session);
    });

    describe("what is sent for a call that is over is refused", () => {
      /** What the standalone stream brings by the time that something else comes on it. */
      const heardBy = async (session: McpSession, tag: string): Promise<Message[]> => {
        const standalone = await session.get();
        await eventually(() => expect(told(server, "test.refused", tag)).toHaveLength(1));
        await session.fetch("DELETE");
        return standalone.rest();
      };

      test("after its answer", async () => {
        const session = await openSession(server.url);
        const tag = `${sdk} answered`;
        const stream = await session.stream(call({ act: "outlive", tag }));
        const messages = await stream.rest();
        expect(textOf(messages.at(-1) ?? {})).toBe(`outlived ${tag}`);
        expect(await heardBy(session, tag)).toEqual([]);
        expect(String(told(server, "test.refused", tag)[0]?.["message"])).toMatch(
          /No call is in flight under/,
        );
      });

      test("after its cancellation", async () => {
        const session = await openSession(server.url);
        const tag = `${sdk} cancelled`;
        const stream = await session.stream(call({ act: "outlive", tag }, tag));
        await stream.message();
        await session.post(notification("notifications/cancelled", { requestId: tag }));
        await stream.rest();
        expect(await heardBy(session, tag)).toEqual([]);
      });

      test("over HTTP+SSE", async () => {
        const session = await openSse(server.url);
        await session.initialize();
        const tag = `${sdk} relayed`;
        const answer = await session.request(call({ act: "outlive", tag }));
        expect(textOf(answer)).toBe(`outlived ${tag}`);
        await eventually(() => expect(told(server, "test.refused", tag)).toHaveLength(1));
        await session.post(call({ act: "answer", tag: "last" }, "last"));
        const after: Message[] = [await session.stream.message()];
        while (after.at(-1)?.id !== "last") after.push(await session.stream.message());
        expect(after).toHaveLength(1);
        session.stream.leave();
      });

      test("a question is not put for a call that its client has cancelled", async () => {
        const session = await openSession(server.url, { capabilities: { elicitation: {} } });
        const standalone = await session.get();
        const tag = `${sdk} asks late`;
        const stream = await session.stream(call({ act: "ask late", tag }, "asks"));
        await session.post(notification("notifications/cancelled", { requestId: "asks" }));
        expect(await stream.rest()).toEqual([]);
        await eventually(() => expect(told(server, "test.unanswered", tag)).toHaveLength(1));
        await expectServes(session);
        await session.fetch("DELETE");
        expect(await standalone.rest()).toEqual([]);
      });

      test("but what is sent for one that is in flight arrives, in a batch too", async () => {
        const session = await openSession(server.url, { version: "2025-03-26" });
        const batch = [
          call({ act: "answer" }, "quick"),
          call({ act: "notify", ms: 200, tag: "slow" }, "slow"),
        ];
        const stream = await session.stream(batch);
        const messages = await stream.rest();
        expect(messages.map(({ id, method }) => method ?? id)).toEqual([
          "quick",
          "notifications/message",
          "slow",
        ]);
      });
    });
  });

  describe("maxCallMs", () => {
    const server = serve(host, {
      TEST_SDK: "wayward 2",
      TEST_EVENTS: "on",
      HOLDFAST_MAX_CALL_MS: "1000",
      HOLDFAST_MAX_IN_FLIGHT: "2",
    });

    test("ends a call with one error, cancels it at the server, and frees its place", async () => {
      const session = await openSession(server.url);
      const streams = await Promise.all(
        ["a", "b"].map((tag) => session.stream(call({ act: "never", tag: `${session.id} ${tag}` }, tag))),
      );
      await expectNotNow(await session.post(request("ping", undefined, 1)), 1);
      for (const [index, id] of ["a", "b"].entries()) {
        expect(await streams[index]?.rest()).toEqual([
          expect.objectContaining({
            id,
            error: expect.objectContaining({ code: -32603, data: { reason: "timeout" } }) as unknown,
          }),
        ]);
        await eventually(() => expect(told(server, "test.aborted", `${session.id} ${id}`)).toHaveLength(1));
      }
      await expectServes(session);
      await eventually(() =>
        expect(server.events()).toContainEqual(
          expect.objectContaining({ type: "call.failed", tool: "wayward", reason: "timeout" }),
        ),
      );
    });

    test("for a client that reads JSON alone, and over HTTP+SSE", async () => {
      const session = await openSession(server.url);
      const answer = await session.post(call({ act: "never" }), { Accept: "application/json" });
      expect(reasonOf(await answerOf(answer))).toBe("timeout");

      const sse = await openSse(server.url);
      await sse.initialize();
      expect(reasonOf(await sse.request(call({ act: "never" })))).toBe("timeout");
      expect(textOf(await sse.request(call({ act: "answer", tag: "x" })))).toBe("answered x");
      sse.stream.leave();
    });

    test("leaves a call alone that is answered in time, whoever waits for it", async () => {
      const session = await openSession(server.url);
      const answer = await session.request(call({ act: "answer", ms: 400, tag: "in time" }));
      expect(textOf(answer)).toBe("answered in time");
    });
  });

  describe("a call that its client has left", () => {
    const server = serve(host, {
      TEST_SDK: "wayward 2",
      TEST_EVENTS: "on",
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "200",
      HOLDFAST_SESSION_TTL_MS: "1500",
    });
    const expired = (id: string): Promise<void> =>
      eventually(() =>
        expect(server.events()).toContainEqual(
          expect.objectContaining({ type: "session.expired", session: id.slice(0, 8) }),
        ),
      );

    test("does not keep its session", async () => {
      const session = await openSession(server.url);
      const stream = await session.stream(call({ act: "never", tag: session.id }));
      await stream.next();
      stream.leave();
      await expired(session.id);
      await eventually(() => expect(told(server, "test.aborted", session.id)).toHaveLength(1));
      // It is taken up again, without the call.
      expect((await session.post(request("ping"))).status).toBe(200);
      await eventually(() =>
        expect(server.events()).toContainEqual(
          expect.objectContaining({ type: "session.revived", session: session.id.slice(0, 8) }),
        ),
      );
    });

    test("over HTTP+SSE, does not either", async () => {
      const session = await openSse(server.url);
      await session.initialize();
      await session.post(call({ act: "never", tag: session.id }));
      session.stream.leave();
      await expired(session.id);
    });

    test("where it read JSON alone, does not either; one that waits is told", async () => {
      const session = await openSession(server.url, { version: LATEST });
      const waiting = session.post(call({ act: "never", tag: session.id }), { Accept: "application/json" });
      expect(reasonOf(await answerOf(await waiting))).toBe("session-ended");
      await expired(session.id);
    });

    test("keeps it while its client listens", async () => {
      const session = await openSession(server.url);
      const stream = await session.stream(call({ act: "answer", ms: 4000, tag: "late" }));
      expect((await stream.rest()).map(textOf)).toEqual(["answered late"]);
      expect((await session.post(request("ping"))).status).toBe(200);
    });
  });
});
