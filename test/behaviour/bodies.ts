/** Bodies that are too large, too slow or too many: what they cost, and what their senders are told. @module */
import { describe, expect, test } from "vitest";
import { openSse } from "../support/http-sse.ts";
import { openSession } from "../support/mcp.ts";
import { keptConnection } from "../support/kept-connection.ts";
import { initialize, LATEST, toolCall } from "../support/messages.ts";
import { expectNotNow } from "../support/not-now.ts";
import { serve, type Subject } from "../support/subject.ts";
import { type UnfinishedPost, unfinishedPost } from "../support/unfinished-post.ts";
import { eventually } from "../support/wait.ts";

const KIB = 1024;
const FORGED = "0123456789abcdef".repeat(4);
/** A string of this many bytes once it is in a message. */
const padded = (bytes: number): string => "x".repeat(bytes - 200);

export function testBodies(subject: Subject): void {
  // Deno's server never ends a connection whose request is not complete, whatever the answer says.
  const CLOSES = subject.name !== "deno";
  /** A balancer stands in front. */
  const IS_BALANCED = subject.name.startsWith("a cluster");

  describe.concurrent("a body that no session is there for", () => {
    const server = serve(subject);
    const announce = (headers: Record<string, string>): UnfinishedPost =>
      unfinishedPost(`${server.url}/mcp`, { headers, length: 4_000_000 });

    test.each([
      ["an id that nobody holds", { "Mcp-Session-Id": FORGED }, 404, -32001],
      ["a malformed id", { "Mcp-Session-Id": "a/b" }, 400, -32600],
    ])("with %s it is answered before any of it has come", async (_, headers, status, code) => {
      const sent = announce(headers as Record<string, string>);
      const answer = await sent.answer;
      expect(answer.status).toBe(status);
      expect(answer.body).toContain(`"code":${code}`);
      sent.leave();
    });

    test("of unknown length, it is answered once it is larger than any `initialize`", async () => {
      const sent = unfinishedPost(`${server.url}/mcp`, {
        headers: { "Mcp-Session-Id": FORGED },
        body: "x".repeat(70 * KIB),
      });
      expect((await sent.answer).status).toBe(404);
      sent.leave();
    });

    test("on HTTP+SSE too", async () => {
      const sent = unfinishedPost(`${server.url}/messages?sessionId=${FORGED}`, { length: 4_000_000 });
      expect((await sent.answer).status).toBe(404);
      sent.leave();
    });

    test("64 KiB are enough for `initialize`, also in place of a session that is gone", async () => {
      const capabilities = { experimental: { pad: { text: padded(60 * KIB) } } };
      const body = JSON.stringify(initialize(LATEST, capabilities));
      // Each on a connection of its own: those whose body was not read are closed, and `fetch` may meet one as it is.
      for (const headers of [{}, { "Mcp-Session-Id": FORGED }] as Record<string, string>[]) {
        const sent = unfinishedPost(`${server.url}/mcp`, { headers, body, length: body.length });
        const opened = await sent.answer;
        expect(opened.status).toBe(200);
        expect(opened.head).toMatch(/^mcp-session-id: [\w-]+$/im);
        sent.leave();
      }
    });

    test("a session's own bodies may be as large as `maxBodyBytes`, and stay whole", async () => {
      const text = padded(4_000_000);
      const session = await openSession(server.url);
      expect(await session.tool("echo", { text })).toBe(text);
    });
  });

  describe.concurrent("a refused body that is sent whole before anything is read", () => {
    const server = serve(subject);
    const call = (bytes: number): string => JSON.stringify(toolCall("echo", { text: padded(bytes) }));

    test.each([
      ["an id that nobody holds", { "Mcp-Session-Id": FORGED }, call(3_000_000), 404],
      ["a malformed id", { "Mcp-Session-Id": "a/b" }, call(200_000), 400],
      ["no id", {}, call(200_000), 200],
      ["more than `maxBodyBytes`", {}, call(5_000_000), 413],
      ["another type", { "Content-Type": "text/plain" }, call(200_000), 415],
      ["an Origin that is not let in", { Origin: "https://evil.example" }, call(200_000), 403],
      ["bytes that are no UTF-8", {}, `\u00ff${call(200_000)}`, 400],
    ])(
      "with %s: its client reads the answer, and is heard on the same connection",
      async (_, headers, body, status) => {
        const line = await keptConnection(server.url);
        const given = headers as Record<string, string>;
        for (const isChunked of [false, true, false]) {
          const answer = await line.post("/mcp", { headers: given, body, isChunked });
          expect(answer.status).toBe(status);
          expect(answer.body).toMatch(/^\{"(jsonrpc|result)":/);
        }
        line.leave();
      },
    );

    test("by a method that takes none: the same", async () => {
      const line = await keptConnection(server.url);
      for (const isChunked of [false, true]) {
        const answer = await line.post("/info", { body: call(200_000), isChunked });
        expect(answer.status).toBe(405);
      }
      line.leave();
    });
  });

  describe("a refused body without an end", () => {
    const server = serve(subject);

    // More than is thrown away; and a body that no server's code is given.
    test.each([
      ["POST", 404, 9_000_000],
      ["PUT", 405, 9_000_000],
      ["GET", 404, 1000],
    ])("of a %s is left at some point: the answer closes the connection", async (method, status, bytes) => {
      const headers = { "Mcp-Session-Id": FORGED };
      const sent = unfinishedPost(`${server.url}/mcp`, { method, headers, body: "x".repeat(bytes) });
      const answer = await sent.answer;
      // A balancer of Node's reads nothing more once one of its writes has failed: then it has lost the answer.
      if (answer.status === 502 && IS_BALANCED && bytes > 1000) return sent.leave();
      expect(answer.status).toBe(status);
      expect(answer.head).toMatch(/^connection: close$/im);
      if (CLOSES) await sent.closed;
      sent.leave();
    });
  });

  describe.concurrent("a body that does not come", () => {
    const server = serve(subject, { HOLDFAST_BODY_TIMEOUT_MS: "700" });

    test.each([
      ["withheld", { length: 1000, body: "{" }],
      ["withheld, of unknown length", { body: "{" }],
      ["withheld to the last byte", { length: 100_000, body: "x".repeat(99_999) }],
      ["that never begins", { length: 5 }],
    ])("%s: 408, with the end of the connection", async (_, body) => {
      const session = await openSession(server.url);
      const sent = unfinishedPost(`${server.url}/mcp`, { headers: session.headers, ...body });
      const { status, head, body: text } = await sent.answer;
      expect(status).toBe(408);
      expect(head).toMatch(/^connection: close$/im);
      expect(text).toContain("the body did not come within 700 ms");
      if (CLOSES) await sent.closed;
      expect(await session.tool("echo", { text: "alive" })).toBe("alive");
    });

    test("trickled: each byte buys no time", async () => {
      const sent = unfinishedPost(`${server.url}/mcp`, { body: "{" });
      const trickle = setInterval(() => sent.write(" "), 50);
      expect((await sent.answer).status).toBe(408);
      clearInterval(trickle);
      if (CLOSES) await sent.closed;
    });

    test("to HTTP+SSE: the same", async () => {
      const { endpoint, stream } = await openSse(server.url);
      const sent = unfinishedPost(`${server.url}${endpoint}`, { length: 1000, body: "{" });
      expect((await sent.answer).status).toBe(408);
      stream.leave();
    });
  });

  // Not concurrent: one test's bodies would be in the way of the other's.
  describe("many bodies at once", () => {
    const server = serve(subject, {
      HOLDFAST_MAX_BODY_BYTES: String(300 * KIB),
      HOLDFAST_MAX_BODY_BYTES_IN_FLIGHT: String(400 * KIB),
      // Each has a budget of its own.
      TEST_PROCESSES: "1",
    });

    test("what finds no room is told when to come again; small ones find room; room comes back", async () => {
      const session = await openSession(server.url);
      const large = toolCall("echo", { text: padded(200 * KIB) });
      const announce = (): UnfinishedPost =>
        unfinishedPost(`${server.url}/mcp`, { headers: session.headers, length: 250 * KIB, body: "{" });
      const both = [announce(), announce()];
      // Whichever comes first has the room, and keeps it.
      const refused = await Promise.race(both.map(async (sent) => ({ sent, ...(await sent.answer) })));
      expect(refused.status).toBe(503);
      expect(refused.head).toMatch(/^retry-after: 1$/im);
      expect(refused.body).toContain('"code":-32000');
      refused.sent.leave();
      // Of which the id is known, by its beginning.
      await expectNotNow(await session.post(large), large.id);
      // Of unknown length: refused as it grows.
      const growing = unfinishedPost(`${server.url}/mcp`, {
        headers: session.headers,
        body: "x".repeat(100 * KIB),
      });
      expect((await growing.answer).status).toBe(503);
      growing.leave();
      expect(await session.tool("echo", { text: "small" })).toBe("small");
      for (const sent of both) sent.leave();
      await eventually(async () => expect((await session.request(large)).result).toBeDefined(), 8000);
    });
  });
}
