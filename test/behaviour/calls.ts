/** What happens between a call and its answer: questions back, cancellation, equal ids, other sessions. @module */
import { describe, expect, test } from "vitest";
import { type McpSession, openSession } from "../support/mcp.ts";
import {
  type Message,
  notification,
  request,
  textOf,
  toolCall,
  upTo,
  VERSIONS,
} from "../support/messages.ts";
import { serve, type Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

const asks = ({ method }: Message): boolean => method === "elicitation/create";

const ask = (message: string, on: "request" | "standalone", id?: string | number): Message =>
  toolCall("ask", { message, on }, id === undefined ? {} : { id });

/** The client's answer to a question. */
async function answer(session: McpSession, asked: Message, words: string): Promise<void> {
  const result = { action: "accept", content: { answer: words } };
  const response = await session.post({ jsonrpc: "2.0", id: asked.id, result });
  expect([response.status, await response.text()]).toEqual([202, ""]);
}

const words = (message: Message): string | null =>
  (JSON.parse(textOf(message) ?? "{}") as { answer: string | null }).answer;

export function testCalls(subject: Subject): void {
  describe.concurrent("calls", () => {
    const server = serve(subject);

    describe("questions from inside a call (B9)", () => {
      const open = (version?: string): Promise<McpSession> =>
        openSession(server.url, {
          ...(version === undefined ? {} : { version }),
          capabilities: { elicitation: {} },
        });

      test.each(VERSIONS)(
        "in %s, a question that names its call comes on the call's stream",
        async (version) => {
          const session = await open(version);
          const standalone = await session.get();
          const call = await session.stream(ask("whose?", "request"));
          const asked = await call.message(asks);
          expect(asked.params?.["message"]).toBe("whose?");
          await answer(session, asked, "mine");
          expect((await call.rest()).map(words)).toEqual(["mine"]);
          // Not on both: what comes next on the other is something else.
          await session.tool("emit", { count: 1, on: "standalone" });
          expect((await standalone.message()).method).toBe("notifications/message");
          standalone.leave();
        },
      );

      test("one that names no call, without a GET, goes to the one call in flight", async () => {
        const session = await open();
        const call = await session.stream(ask("anybody?", "standalone"));
        await answer(session, await call.message(asks), "here");
        expect((await call.rest()).map(words)).toEqual(["here"]);
      });

      test("one that names no call, with a GET open, goes to the GET", async () => {
        const session = await open();
        const standalone = await session.get();
        const call = await session.stream(ask("anybody?", "standalone"));
        await answer(session, await standalone.message(asks), "here");
        expect((await call.rest()).map(words)).toEqual(["here"]);
        standalone.leave();
      });

      test("one that names no call, with two calls in flight, waits for a GET", async () => {
        const session = await open();
        const other = await session.stream(toolCall("sleep", { ms: 60_000 }, { id: "other" }));
        const call = await session.stream(ask("anybody?", "standalone"));
        const standalone = await session.get();
        await answer(session, await standalone.message(asks), "late");
        expect((await call.rest()).map(words)).toEqual(["late"]);
        await session.post(notification("notifications/cancelled", { requestId: "other" }));
        expect(await other.rest()).toEqual([]);
        standalone.leave();
      });

      test("a client that refuses with an error has that error reach the tool", async () => {
        const session = await open();
        const call = await session.stream(ask("whose?", "request"));
        const asked = await call.message(asks);
        const error = { code: -32603, message: "nobody at home" };
        expect((await session.post({ jsonrpc: "2.0", id: asked.id, error })).status).toBe(202);
        const [failed] = await call.rest();
        expect(JSON.stringify(failed)).toMatch(/nobody at home/);
      });

      test("an answer that comes twice, or to a question of another session, reaches nobody", async () => {
        const [session, other] = [await open(), await open()];
        const call = await session.stream(ask("whose?", "request"));
        const asked = await call.message(asks);
        await answer(other, asked, "theirs");
        await answer(session, asked, "mine");
        await answer(session, asked, "again");
        expect((await call.rest()).map(words)).toEqual(["mine"]);
        await eventually(() => {
          const orphans = server.events().filter(({ type }) => type === "orphan.response");
          expect(orphans.map(({ session: id }) => id)).toEqual(
            expect.arrayContaining([other.id.slice(0, 8), session.id.slice(0, 8)]),
          );
        });
      });

      test("a question to a client that declared no such capability is never sent", async () => {
        const session = await openSession(server.url);
        const refused = await session.request(ask("whose?", "request"));
        expect(refused.result?.["isError"] === true || refused.error !== undefined).toBe(true);
      });
    });

    describe("calls that share a JSON-RPC id", () => {
      test("two that are slow: each POST gets its own answer", async () => {
        const session = await openSession(server.url, { capabilities: { elicitation: {} } });
        const first = await session.stream(ask("first?", "request", 1));
        const second = await session.stream(ask("second?", "request", 1));
        const [askedFirst, askedSecond] = [await first.message(asks), await second.message(asks)];
        expect([askedFirst.params?.["message"], askedSecond.params?.["message"]]).toEqual([
          "first?",
          "second?",
        ]);
        await answer(session, askedSecond, "2nd");
        await answer(session, askedFirst, "1st");
        const answers = [await first.rest(), await second.rest()].map(([message]) => message);
        expect(answers.map((message) => [message?.id, words(message ?? {})])).toEqual([
          [1, "1st"],
          [1, "2nd"],
        ]);
      });

      test("fifty that are quick, at once", async () => {
        const session = await openSession(server.url);
        const echoes = upTo(50).map(async (n) => {
          const echoed = await session.request(toolCall("echo", { text: `text ${n}` }, { id: 1 }));
          return [echoed.id, textOf(echoed)];
        });
        expect(await Promise.all(echoes)).toEqual(upTo(50).map((n) => [1, `text ${n}`]));
      });

      test('ids keep their type: 1, "1" and 0 are three', async () => {
        const session = await openSession(server.url);
        for (const id of [1, "1", 0, "", -3, "ü"]) {
          expect((await session.request(toolCall("echo", { text: "x" }, { id }))).id).toBe(id);
        }
      });

      test("progress keeps the caller's own token, equal or not", async () => {
        const session = await openSession(server.url);
        const streams = await Promise.all(
          [0, 0, "0"].map((progressToken) =>
            session.stream(toolCall("sleep", { ms: 300, steps: 2 }, { id: 1, progressToken })),
          ),
        );
        const tokens = [];
        for (const stream of streams) {
          tokens.push((await stream.rest()).slice(0, -1).map(({ params }) => params?.["progressToken"]));
        }
        expect(tokens).toEqual([
          [0, 0],
          [0, 0],
          ["0", "0"],
        ]);
      });
    });

    describe("cancellation (B11)", () => {
      test.each(VERSIONS)(
        "in %s, notifications/cancelled ends the POST's stream without an answer",
        async (version) => {
          const session = await openSession(server.url, { version });
          const call = await session.stream(toolCall("sleep", { ms: 60_000 }, { id: "long" }));
          const accepted = await session.post(notification("notifications/cancelled", { requestId: "long" }));
          expect(accepted.status).toBe(202);
          expect(await call.rest()).toEqual([]);
          expect(await session.tool("echo", { text: "free" })).toBe("free");
        },
      );

      test("a POST that has had no answer at all yet is released too", async () => {
        const session = await openSession(server.url);
        const call = session.post(toolCall("sleep", { ms: 60_000 }, { id: "json" }), {
          Accept: "application/json",
        });
        // The cancellation may overtake the call, and then names nothing: it is sent until it finds it.
        let isReleased = false;
        const released = call.then((response) => {
          isReleased = true;
          return response;
        });
        await eventually(async () => {
          await session.post(notification("notifications/cancelled", { requestId: "json" }));
          expect(isReleased).toBe(true);
        });
        expect([(await released).status, await (await released).text()]).toEqual([202, ""]);
      });

      test("the tool sees it: a cancelled emitter stops emitting", async () => {
        const session = await openSession(server.url);
        const call = await session.stream(
          toolCall("emit", { count: 100_000, intervalMs: 5 }, { id: "emitter" }),
        );
        await call.messages(3);
        await session.post(notification("notifications/cancelled", { requestId: "emitter" }));
        const left = await call.rest();
        expect(left.every(({ method }) => method === "notifications/message")).toBe(true);
      });

      test("of two calls with one id, one is cancelled at a time, the later first", async () => {
        const session = await openSession(server.url);
        const first = await session.stream(toolCall("sleep", { ms: 700 }, { id: 1 }));
        const second = await session.stream(toolCall("sleep", { ms: 60_000 }, { id: 1 }));
        await session.post(notification("notifications/cancelled", { requestId: 1 }));
        expect(await second.rest()).toEqual([]);
        expect((await first.rest()).map(textOf)).toEqual(["slept"]);
      });

      test("a cancellation that names nothing is accepted, and does nothing", async () => {
        const session = await openSession(server.url);
        for (const params of [{ requestId: "none" }, { requestId: 17 }, {}]) {
          expect((await session.post(notification("notifications/cancelled", params))).status).toBe(202);
        }
        expect((await session.post(request("ping"))).status).toBe(200);
      });

      test("a session cannot cancel another's call", async () => {
        const [session, other] = [await openSession(server.url), await openSession(server.url)];
        const call = await session.stream(toolCall("sleep", { ms: 400 }, { id: "shared" }));
        await other.post(notification("notifications/cancelled", { requestId: "shared" }));
        expect((await call.rest()).map(textOf)).toEqual(["slept"]);
      });
    });

    describe("sessions apart (A8, C-28)", () => {
      test("20 sessions with 20 questions each, interleaved: every message in its own session, once", async () => {
        const names = upTo(20).map((n) => `session ${n}`);
        const sessions = await Promise.all(
          names.map(() => openSession(server.url, { capabilities: { elicitation: {} } })),
        );
        const seen = await Promise.all(
          sessions.map(async (session, index) => {
            const name = names[index];
            const standalone = await session.get();
            const messages: unknown[] = [];
            const answered: unknown[] = [];
            const listen = async (): Promise<void> => {
              for (let n = 0; n < 20; n++) {
                const asked = await standalone.message();
                messages.push(asked.params?.["message"]);
                await answer(session, asked, `${name} says ${String(asked.params?.["message"])}`);
              }
            };
            const talk = async (): Promise<void> => {
              for (let n = 0; n < 20; n++) {
                // Equal ids in all sessions, on purpose.
                answered.push(words(await session.request(ask(`${name} asks ${n}`, "standalone", n))));
              }
            };
            await Promise.all([listen(), talk()]);
            standalone.leave();
            return { messages, answered };
          }),
        );
        expect(seen).toEqual(
          names.map((name) => {
            const questions = upTo(20).map((n) => `${name} asks ${n - 1}`);
            return { messages: questions, answered: questions.map((question) => `${name} says ${question}`) };
          }),
        );
      });

      test("state belongs to one session", async () => {
        const [one, other] = [await openSession(server.url), await openSession(server.url)];
        expect(await one.tool("counter", { by: 5 })).toBe("5");
        expect(await other.tool("counter", { by: 1 })).toBe("1");
        expect(await one.tool("counter", { by: 1 })).toBe("6");
      });
    });
  });
}
