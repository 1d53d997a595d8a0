/** How sessions begin and end, and which protocol version they speak. @module */
import { array, assert, asyncProperty, constantFrom } from "fast-check";
import { describe, expect, test } from "vitest";
import { openSession, post } from "../support/mcp.ts";
import { initialize, LATEST, notification, request, toolCall, VERSIONS, upTo } from "../support/messages.ts";
import { expectNotNow } from "../support/not-now.ts";
import { serve, type Subject } from "../support/subject.ts";
import { eventually } from "../support/wait.ts";

export function testSessions(subject: Subject): void {
  describe("sessions (B24–B29)", () => {
    const server = serve(subject, { HOLDFAST_MAX_IN_FLIGHT: "2" });

    test("the InitializeResult carries the id, and nothing else does (B24, P-24)", async () => {
      const session = await openSession(server.url);
      expect(session.id).toMatch(/^[\x21-\x7e]{22,}$/);
      const answer = await session.post(request("tools/list"));
      expect(answer.headers.get("mcp-session-id")).toBeNull();
    });

    test("an InitializeResult is JSON, whatever the version", async () => {
      for (const version of VERSIONS) {
        const answer = await post(`${server.url}/mcp`, initialize(version));
        expect(answer.headers.get("content-type")).toBe("application/json");
        expect(await answer.json()).toMatchObject({ result: { protocolVersion: version } });
      }
    });

    test("an initialize that the server refuses opens no session", async () => {
      const answer = await post(`${server.url}/mcp`, request("initialize", { protocolVersion: 17 }));
      expect(answer.headers.get("mcp-session-id")).toBeNull();
      expect(await answer.json()).toMatchObject({ error: { code: expect.any(Number) } });
    });

    test("ids are unique and share no pattern (B24, G-24)", async () => {
      const ids = await Promise.all(
        Array.from({ length: 30 }, async () => (await post(`${server.url}/mcp`, initialize())).headers),
      ).then((all) => all.map((headers) => headers.get("mcp-session-id") ?? ""));
      expect(new Set(ids).size).toBe(30);
      expect(new Set(ids.map((id) => id.slice(0, 8))).size).toBe(30);
    });

    test("a request before initialized is answered: the first may overtake it (P-04)", async () => {
      const opened = await post(`${server.url}/mcp`, initialize());
      const headers = { "Mcp-Session-Id": opened.headers.get("mcp-session-id") ?? "" };
      const answer = await post(`${server.url}/mcp`, request("tools/list"), headers);
      expect(answer.status).toBe(200);
    });

    test("DELETE ends the session: 404 from then on, for whatever is asked (B26, B28, P-18)", async () => {
      const session = await openSession(server.url);
      const ended = await session.fetch("DELETE");
      expect([ended.status, await ended.text()]).toEqual([204, ""]);
      expect((await session.post(request("ping"))).status).toBe(404);
      expect((await session.post(notification("notifications/initialized"))).status).toBe(404);
      expect((await session.fetch("GET")).status).toBe(404);
      expect((await session.fetch("DELETE")).status).toBe(404);
    });

    test("DELETE ends the session's open streams, and answers what was in flight (B28)", async () => {
      const session = await openSession(server.url);
      const standalone = await session.get();
      const call = await session.stream(toolCall("sleep", { ms: 60_000, steps: 1 }, { id: "long" }));
      await session.fetch("DELETE");
      expect(await standalone.rest()).toEqual([]);
      expect(await call.rest()).toEqual([
        expect.objectContaining({
          id: "long",
          error: expect.objectContaining({ data: { reason: "session-ended" } }),
        }),
      ]);
    });

    test("the way back after a 404 is initialize without an id (B27)", async () => {
      const session = await openSession(server.url);
      await session.fetch("DELETE");
      const next = await openSession(server.url);
      expect(next.id).not.toBe(session.id);
      expect(await next.tool("echo", { text: "back" })).toBe("back");
    });

    test("initialize without an id always opens another session (B29)", async () => {
      const [one, other] = [await openSession(server.url), await openSession(server.url)];
      expect(one.id).not.toBe(other.id);
      expect(await one.tool("echo", { text: "one" })).toBe("one");
    });

    test("initialize with an empty session id opens a session", async () => {
      const opened = await post(`${server.url}/mcp`, initialize(), { "Mcp-Session-Id": "" });
      expect(opened.status).toBe(200);
      expect(opened.headers.get("mcp-session-id")).toMatch(/^[0-9a-f]{64}$/);
    });

    test("headers that a proxy has doubled count once, where both say the same", async () => {
      const session = await openSession(server.url);
      const doubled = {
        "Mcp-Session-Id": `${session.id}, ${session.id}`,
        "MCP-Protocol-Version": `${LATEST}, ${LATEST}`,
        "Content-Type": "application/json; charset=utf-8, application/json",
      };
      expect((await session.post(request("ping"), doubled)).status).toBe(200);
      for (const [name, value] of [
        ["Mcp-Session-Id", `${session.id}, ${"0".repeat(64)}`],
        ["MCP-Protocol-Version", `${LATEST}, 2025-06-18`],
      ] as const) {
        expect((await session.post(request("ping"), { ...doubled, [name]: value })).status).toBe(400);
      }
      const mixed = { ...doubled, "Content-Type": "application/json, text/plain" };
      expect((await session.post(request("ping"), mixed)).status).toBe(415);
    });

    test("an initialize larger than a session may keep: 413 that names the limit, and no session", async () => {
      const opening = initialize(LATEST, { experimental: { icon: "x".repeat(70_000) } });
      const answer = await post(`${server.url}/mcp`, opening);
      expect(answer.status).toBe(413);
      expect(answer.headers.get("mcp-session-id")).toBeNull();
      expect(await answer.json()).toMatchObject({
        id: opening.id,
        error: { code: -32000, message: expect.stringMatching(/65536.*maxInitializeBytes/) },
      });
    });

    test("too many requests in flight: an error that says when to try again, and a place that is free again is used", async () => {
      const session = await openSession(server.url);
      const calls = [1, 2].map((n) => toolCall("sleep", { ms: 60_000 }, { id: `long-${n}` }));
      const streams = await Promise.all(calls.map((call) => session.stream(call)));
      await expectNotNow(await session.post(request("ping", undefined, "p")), "p");
      // What waits for no answer has its status.
      const answer = { jsonrpc: "2.0", id: "nobody's", result: {} };
      expect((await session.post(answer)).status).toBe(202);
      await session.post(notification("notifications/cancelled", { requestId: "long-1" }));
      await eventually(async () => expect((await session.request(request("ping"))).result).toEqual({}));
      for (const stream of streams) stream.leave();
    });
  });

  describe("sessions that come and go", () => {
    const server = serve(subject);
    const step = constantFrom("initialize", "list", "DELETE", "GET");

    test("10 requests at once on a fresh session are all served (P-04, P-05)", async () => {
      const session = await openSession(server.url);
      const asked = upTo(10).map((n) => session.post(request(n % 2 === 0 ? "ping" : "tools/list")));
      expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(upTo(10).map(() => 200));
    });

    test("whatever comes in whatever order at once, nothing is answered 500 or above (P-05)", async () => {
      await assert(
        asyncProperty(array(step, { minLength: 20, maxLength: 40 }), async (steps) => {
          let session = await openSession(server.url);
          const ask: Record<(typeof steps)[number], () => Promise<Response>> = {
            initialize: async () => {
              session = await openSession(server.url);
              return session.post(request("ping"));
            },
            list: () => session.post(request("tools/list")),
            DELETE: () => session.fetch("DELETE"),
            GET: () => session.fetch("GET"),
          };
          const answers = await Promise.all(steps.map((name) => ask[name]()));
          for (const answer of answers) await answer.body?.cancel();
          expect(
            answers.map(({ status }) => status).filter((status) => ![200, 204, 404].includes(status)),
          ).toEqual([]);
        }),
        { numRuns: 15 },
      );
    });
  });

  describe("a server that takes its time to start", () => {
    const server = serve(subject, { HOLDFAST_INITIALIZE_TIMEOUT_MS: "50", TEST_START_MS: "500" });

    test("more than it may: 503 that says when to try again, and no session", async () => {
      const opening = initialize();
      const answer = await post(`${server.url}/mcp`, opening);
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
      expect(answer.headers.get("mcp-session-id")).toBeNull();
      expect(await answer.json()).toMatchObject({ error: { code: -32000 }, id: opening.id });
    });
  });

  describe("protocol versions (B31–B33)", () => {
    const server = serve(subject);

    test.each(["2024-11-05", ...VERSIONS])("%s is granted as it is asked for", async (version) => {
      const { server: result } = await openSession(server.url, { version });
      expect(result["protocolVersion"]).toBe(version);
    });

    test.each(["1999-01-01", "2099-12-31"])(
      "%s is answered with the latest there is (B33)",
      async (version) => {
        const answer = await post(`${server.url}/mcp`, initialize(version));
        expect(await answer.json()).toMatchObject({ result: { protocolVersion: LATEST } });
      },
    );

    test.each(VERSIONS)("a session of %s needs no version header (B31)", async (version) => {
      const session = await openSession(server.url, { version });
      const answer = await session.post(request("ping"), { "MCP-Protocol-Version": undefined });
      expect(answer.status).toBe(200);
      const stream = await session.fetch("GET", { "MCP-Protocol-Version": undefined });
      expect(stream.status).toBe(200);
      await stream.body?.cancel();
    });

    test("without the header, the session's own version counts: 2025-11-25 has no batches (B31)", async () => {
      const session = await openSession(server.url, { version: LATEST });
      const answer = await session.post([request("ping")], { "MCP-Protocol-Version": undefined });
      expect(answer.status).toBe(400);
    });

    test.each(VERSIONS)(
      "a session of %s takes any version header that is supported (B32)",
      async (version) => {
        const session = await openSession(server.url, { version });
        for (const header of VERSIONS) {
          expect((await session.post(request("ping"), { "MCP-Protocol-Version": header })).status).toBe(200);
        }
      },
    );

    test.each(["", "latest", "2025-11-26", "2025-11-25, 2025-06-18"])(
      "the version header %j: 400 (B31)",
      async (version) => {
        const session = await openSession(server.url);
        const answer = await session.post(request("ping"), { "MCP-Protocol-Version": version });
        expect(answer.status).toBe(400);
        expect(await answer.json()).toMatchObject({
          error: { data: { requested: version, supported: expect.arrayContaining([...VERSIONS]) } },
        });
      },
    );

    test("on initialize the header is not judged (B31)", async () => {
      const answer = await post(`${server.url}/mcp`, initialize("2025-06-18"), {
        "MCP-Protocol-Version": "nonsense",
      });
      expect(await answer.json()).toMatchObject({ result: { protocolVersion: "2025-06-18" } });
    });
  });

  describe("principals (B3)", () => {
    const server = serve(subject, { TEST_AUTH: "on" });
    const ann = { Authorization: "Bearer ann:1" };
    const bob = { Authorization: "Bearer bob:1" };

    test("no credentials, or none any more: 401 that says how, on every method", async () => {
      const session = await openSession(server.url, { headers: ann });
      const nobody = { Authorization: undefined };
      for (const answer of [
        await post(`${server.url}/mcp`, initialize()),
        await session.post(request("ping"), nobody),
        await session.fetch("GET", nobody),
        await session.fetch("DELETE", nobody),
      ]) {
        expect(answer.status).toBe(401);
        expect(answer.headers.get("www-authenticate")).toBe("Bearer");
        expect(await answer.json()).toMatchObject({ error: { code: -32000 }, id: null });
      }
    });

    test("a hook that throws: 500 that a page can see and that tells no detail (P-28)", async () => {
      const broken = { Authorization: "Bearer broken:1", Origin: "http://localhost:3000" };
      const answer = await post(`${server.url}/mcp`, initialize(), broken);
      expect(answer.status).toBe(500);
      expect(answer.headers.get("access-control-allow-origin")).toBe("http://localhost:3000");
      expect(await answer.text()).toBe(
        '{"jsonrpc":"2.0","error":{"code":-32603,"message":"Internal error"},"id":null}',
      );
      await eventually(() =>
        expect(server.events()).toContainEqual(
          expect.objectContaining({
            type: "hook.error",
            hook: "authorize",
            message: "the user table is away",
            stack: expect.stringMatching(/\bat /),
          }),
        ),
      );
    });

    test("a session id is no credential: to another principal the session does not exist", async () => {
      const session = await openSession(server.url, { headers: ann });
      const call = toolCall("counter", { by: 1 });
      for (const [answer, id] of [
        [await session.post(call, bob), call.id],
        [await session.fetch("GET", bob), null],
        [await session.fetch("DELETE", bob), null],
      ] as const) {
        expect(answer.status).toBe(404);
        expect(answer.headers.get("mcp-session-id")).toBeNull();
        expect(await answer.json()).toMatchObject({ error: { code: -32001 }, id });
      }
      // Nothing ran, and nothing ended.
      expect(await session.tool("counter", { by: 1 })).toBe("1");
    });

    test("the same principal with a fresh token is served, and the tool sees that token", async () => {
      const session = await openSession(server.url, { headers: ann });
      const answer = await session.post(toolCall("whoami"), { Authorization: "Bearer ann:2" });
      const { result } = (await answer.json()) as { result: { content: [{ text: string }] } };
      expect(JSON.parse(result.content[0].text)).toMatchObject({
        principal: "ann",
        authInfo: { clientId: "ann", token8: "ann:2" },
      });
    });
  });
}
