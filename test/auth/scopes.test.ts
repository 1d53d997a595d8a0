/** What single tools need of a token is asked in every era, before anything runs, and again before a call runs again. */
import { describe, expect, test } from "vitest";
import { hosts, mortal } from "../support/hosts.ts";
import { openSse } from "../support/http-sse.ts";
import { resumable } from "../support/interrupted.ts";
import { toolCall, VERSIONS } from "../support/messages.ts";
import { answerOf, openSession, post } from "../support/mcp.ts";
import { modernRequest, postModern } from "../support/modern.ts";
import { readEvents } from "../support/sse.ts";
import { eventually } from "../support/wait.ts";

const RESOURCE = "https://mcp.example.com/api/mcp";
const CHALLENGE =
  'Bearer error="insufficient_scope", error_description="Insufficient scope", scope="notes:read notes:write", ' +
  'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/api/mcp"';

const AMY = { Authorization: "Bearer amy:1", "X-Resource": RESOURCE };
const READER = { ...AMY, "X-Scopes": "notes:read" };
const WRITER = { ...AMY, "X-Scopes": "notes:write notes:read other" };

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, {
    TEST_AUTH: "on",
    TEST_RERUN: "guarded,guarded_late",
    HOLDFAST_RETRY_MS: "300",
  });
  const ran = (tag: string): number =>
    server.lines.filter((line) => line.includes(`"test.guarded","tag":"${tag}"`)).length;

  const expectChallenge = async (answer: Response): Promise<void> => {
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([403, CHALLENGE]);
    await answer.body?.cancel();
  };

  describe.each(["guarded", "guarded_late"])("%s", (tool) => {
    test.each(VERSIONS)(
      "%s: a token that lacks a scope is challenged, and one that has all runs it",
      async (version) => {
        const session = await openSession(server.url, { version, headers: READER });
        const tag = crypto.randomUUID();
        await expectChallenge(await session.post(toolCall(tool, { tag })));
        await expectChallenge(await session.post(toolCall(tool, { tag }), { "X-Scopes": undefined }));
        await expectChallenge(await session.post(toolCall(tool, { tag }), { Accept: "application/json" }));
        expect(ran(tag)).toBe(0);
        const answer = await session.post(toolCall(tool, { tag }), WRITER);
        expect(await answerOf(answer)).toMatchObject({ result: { content: [{ text: "done" }] } });
        await eventually(() => expect(ran(tag)).toBe(1));
        // What needs nothing is not asked for anything.
        expect(await session.tool("echo", { text: "hi" })).toBe("hi");
      },
    );

    test("2026-07-28: the same", async () => {
      const call = (): ReturnType<typeof modernRequest> =>
        modernRequest("tools/call", { name: tool, arguments: {} });
      await expectChallenge(await postModern(server.url, call(), READER));
      expect(await answerOf(await postModern(server.url, call(), WRITER))).toMatchObject({
        result: { content: [{ text: "done" }] },
      });
    });

    test("a request of no session: the same, alone and in a batch", async () => {
      const tag = crypto.randomUUID();
      const send = (message: unknown, headers: Record<string, string>): Promise<Response> =>
        post(`${server.url}/mcp`, message, headers);
      const refused = await send(toolCall(tool, { tag }), READER);
      expect(refused.headers.get("mcp-session-id")).toBeNull();
      await expectChallenge(refused);
      await expectChallenge(
        await send([toolCall("guarded", { tag }), toolCall(tool, { tag })], {
          ...READER,
          "MCP-Protocol-Version": "2025-03-26",
        }),
      );
      await expectChallenge(await send(toolCall(tool, { tag }), { ...READER, Accept: "application/json" }));
      expect(ran(tag)).toBe(0);
      expect(await answerOf(await send(toolCall(tool, { tag }), WRITER))).toMatchObject({
        result: { content: [{ text: "done" }] },
      });
      await eventually(() => expect(ran(tag)).toBe(1));
    });

    test("HTTP+SSE: the same, where the message is posted", async () => {
      const session = await openSse(server.url, { headers: READER });
      await expectChallenge(await session.post(toolCall(tool), READER));
      const call = toolCall(tool);
      expect((await session.post(call, WRITER)).status).toBe(202);
      expect(await session.stream.message(({ id }) => id === call.id)).toMatchObject({
        result: { content: [{ text: "done" }] },
      });
      session.stream.leave();
    });

    test("of a batch nothing runs where one of it may not", async () => {
      const session = await openSession(server.url, { version: "2025-03-26", headers: READER });
      await expectChallenge(await session.post([toolCall("counter", { by: 1 }), toolCall(tool)]));
      expect(await session.tool("counter", { by: 0 })).toBe("0");
    });

    test("a call that was interrupted runs again only for a token that has the scopes", async () => {
      const tag = crypto.randomUUID();
      const session = await openSession(server.url, { headers: WRITER });
      const call = toolCall(tool, { tag, ms: 600 });
      const cursor = await resumable(await session.stream(call));
      await server.kill();
      await server.restart();
      const before = ran(tag);
      await expectChallenge(await session.fetch("GET", { ...READER, "Last-Event-ID": cursor }));
      expect(ran(tag)).toBe(before);
      // It is kept for who comes back with more.
      const resumed = readEvents(await session.fetch("GET", { ...WRITER, "Last-Event-ID": cursor }));
      expect(await resumed.rest()).toMatchObject([{ id: call.id, result: { content: [{ text: "done" }] } }]);
      await eventually(() => expect(ran(tag)).toBe(before + 1));
    });
  });

  test("a web page can read the challenge", async () => {
    const session = await openSession(server.url, { headers: READER });
    const answer = await session.post(toolCall("guarded"), { Origin: "http://localhost:3000" });
    expect(answer.headers.get("access-control-allow-origin")).toBe("http://localhost:3000");
    expect(answer.headers.get("access-control-expose-headers")).toContain("WWW-Authenticate");
    await expectChallenge(answer);
  });

  test.each([
    ["throws", "guarded_badly"],
    ["names what is no scope", "guarded_oddly"],
  ])("a policy that %s lets nobody pass, and its operator hears of it", async (_what, tool) => {
    const session = await openSession(server.url, { headers: WRITER });
    const tag = crypto.randomUUID();
    const answer = await session.post(toolCall(tool, { tag }));
    expect(answer.status).toBe(500);
    expect(ran(tag)).toBe(0);
    await eventually(() =>
      expect(server.events()).toContainEqual(
        expect.objectContaining({ type: "hook.error", hook: "scopeChallenge" }),
      ),
    );
  });
});

describe.each(hosts)("sessions that are found by a key, on $name", (host) => {
  const server = mortal(host, { TEST_AUTH: "on", TEST_SESSION_KEY: "principal" });

  test.each(["guarded", "guarded_late"])("%s: asked of the first call as of any other", async (tool) => {
    const as = { Authorization: `Bearer ${crypto.randomUUID()}:1` };
    const tag = crypto.randomUUID();
    const send = (scopes: string): Promise<Response> =>
      post(`${server.url}/mcp`, toolCall(tool, { tag }), { ...as, "X-Scopes": scopes });
    const ran = (): number => server.lines.filter((line) => line.includes(tag)).length;
    for (const scopes of ["notes:read", "notes:write"]) {
      const refused = await send(scopes);
      expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([
        403,
        expect.stringContaining('error="insufficient_scope"'),
      ]);
    }
    expect(ran()).toBe(0);
    expect(await answerOf(await send("notes:read notes:write"))).toMatchObject({
      result: { content: [{ text: "done" }] },
    });
    await eventually(() => expect(ran()).toBe(1));
  });
});
