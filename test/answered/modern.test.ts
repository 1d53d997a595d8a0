/** 2026-07-28: each call ends there too, whatever its server does with it. */
import { describe, expect, test } from "vitest";
import { hosts } from "../support/hosts.ts";
import { answerOf } from "../support/mcp.ts";
import type { Message } from "../support/messages.ts";
import { ask, modernRequest, postModern } from "../support/modern.ts";
import { readEvents } from "../support/sse.ts";
import { type Served, serve } from "../support/subject.ts";
import { eventually, within } from "../support/wait.ts";
import type { Wayward } from "../support/wayward.ts";

const params = (args: Wayward): Record<string, unknown> => ({ name: "wayward", arguments: { ...args } });

const sends = ({ url }: Served, args: Wayward): Promise<Message> =>
  within(ask(url, "tools/call", params(args)), "an answer");

const error = (reason: string): unknown =>
  expect.objectContaining({ error: expect.objectContaining({ code: -32603, data: { reason } }) as unknown });

describe.each(hosts)("on $name", (host) => {
  describe.concurrent("answers that cannot be sent", () => {
    const server = serve(host, {
      TEST_SDK: "wayward 2",
      TEST_EVENTS: "on",
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "200",
    });

    // At once, and once a keepalive has made a stream of it.
    test.each(
      (["bigint", "cycle", "throws"] as const).flatMap((what) => [0, 400].map((ms) => ({ what, ms }))),
    )("$what, after $ms ms: one error", async ({ what, ms }) => {
      expect(await sends(server, { act: "unwritable", what, ms })).toEqual(error("unserialisable"));
    });

    test.each([0, 400])("what is thrown is no error, after %i ms: one error", async (ms) => {
      expect(await sends(server, { act: "throw nothing", ms })).toMatchObject({
        error: { code: -32603, message: expect.stringMatching(/^The tool "wayward" failed\./) },
      });
    });

    test("on a stream that has begun: one error, and its end", async () => {
      const message = modernRequest("tools/call", params({ act: "unwritable", speaks: true }));
      const messages = await readEvents(await postModern(server.url, message)).rest();
      expect(messages).toEqual([
        expect.objectContaining({ method: "notifications/message" }),
        error("unserialisable"),
      ]);
    });

    test("the operator is told which tool it was", async () => {
      await sends(server, { act: "unwritable", what: "bigint" });
      await eventually(() =>
        expect(server.events()).toContainEqual(
          expect.objectContaining({
            type: "call.failed",
            method: "tools/call",
            tool: "wayward",
            reason: "unserialisable",
          }),
        ),
      );
    });

    test("the rest is as it was", async () => {
      expect(await sends(server, { act: "answer", tag: "x" })).toMatchObject({
        result: { content: [{ text: "answered x" }] },
      });
      expect(await sends(server, { act: "throw", tag: "x" })).toMatchObject({
        error: { message: expect.stringMatching(/^The tool "wayward" failed\./) },
      });
    });
  });

  describe.concurrent("maxCallMs", () => {
    const server = serve(host, {
      TEST_SDK: "wayward 2",
      TEST_EVENTS: "on",
      HOLDFAST_KEEPALIVE_INTERVAL_MS: "400",
      HOLDFAST_MAX_CALL_MS: "900",
    });

    test("ends a call that is silent, once it is a stream, and cancels it", async () => {
      const message = modernRequest("tools/call", params({ act: "never", tag: "silent" }));
      const stream = readEvents(await postModern(server.url, message));
      expect(await stream.rest()).toEqual([error("timeout")]);
      await eventually(() => expect(server.events()).toContainEqual({ type: "test.aborted", tag: "silent" }));
    });

    test("ends a call that goes on speaking, with one last word", async () => {
      const message = modernRequest("tools/call", params({ act: "speak", tag: "chatty" }));
      const messages = await readEvents(await postModern(server.url, message)).rest();
      expect(messages.length).toBeGreaterThan(2);
      expect(messages.at(-1)).toEqual(error("timeout"));
      expect(messages.filter(({ method }) => method === undefined)).toHaveLength(1);
      await eventually(() => expect(server.events()).toContainEqual({ type: "test.aborted", tag: "chatty" }));
    });

    test("leaves one alone that is answered in time", async () => {
      expect(await sends(server, { act: "answer", ms: 600, tag: "x" })).toMatchObject({
        result: { content: [{ text: "answered x" }] },
      });
    });

    test("is no limit for those who listen for changes", async () => {
      const listening = modernRequest("subscriptions/listen", { notifications: { toolsListChanged: true } });
      const stream = readEvents(await postModern(server.url, listening));
      await stream.message();
      for (let comments = 0; comments < 4;) if ((await stream.next())?.type === "comment") comments += 1;
      stream.leave();
    });
  });

  describe("maxCallMs before any stream", () => {
    const server = serve(host, {
      TEST_SDK: "wayward 2",
      TEST_EVENTS: "on",
      HOLDFAST_MAX_CALL_MS: "100",
    });

    // As JSON, unless the machine was so busy that a stream had begun: see `modern/handler`.
    test("the call is answered and cancelled all the same", async () => {
      const message = modernRequest("tools/call", params({ act: "never", tag: "plain" }));
      expect(await answerOf(await postModern(server.url, message))).toEqual(error("timeout"));
      await eventually(() => expect(server.events()).toContainEqual({ type: "test.aborted", tag: "plain" }));
    });
  });
});
