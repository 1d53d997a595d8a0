/** A token's end is the end of what it opened, and of nothing else: the client goes on with the next. */
import { describe, expect, test } from "vitest";
import { endingsOf } from "../support/endings.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { openSse } from "../support/http-sse.ts";
import { initialize, type Message, toolCall, upTo } from "../support/messages.ts";
import { openSession, post } from "../support/mcp.ts";
import { listen, modernRequest, postModern } from "../support/modern.ts";
import { readEvents } from "../support/sse.ts";
import { SDKS } from "../support/sdk-clients.ts";
import type { BurstData } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";

const AMY = { Authorization: "Bearer amy:1" };
/** Whole seconds, as tokens have them: between one and two from now. */
const soon = (seconds = 2): string => String(Math.floor(Date.now() / 1000) + seconds);

// Each test waits for a token's end, in a session of its own: beside the others.
describe.concurrent.each(hosts)("on $name", (host) => {
  const server = mortal(host, {
    TEST_AUTH: "on",
    HOLDFAST_RETRY_MS: "200",
  });
  const numbers = (messages: readonly Message[]): number[] =>
    messages
      .filter(({ method }) => method === "notifications/message")
      .map(({ params }) => (params as { data: BurstData }).data.n);

  test("a standalone stream ends with it, after it has said when to come back", async () => {
    const session = await openSession(server.url, { headers: AMY });
    const stream = await session.fetch("GET", { "X-Expires-At": soon() });
    expect(await stream.text()).toMatch(/^retry: 200$/m);
    await eventually(() =>
      expect(endingsOf(server, session).map(({ reason }) => reason)).toEqual(["expired"]),
    );
    // The session is there for the next token.
    expect(await session.tool("echo", { text: "hi" })).toBe("hi");
  });

  test("a call's own stream ends with it, after it has said when to come back, and goes on with the next token", async () => {
    const session = await openSession(server.url, { headers: AMY });
    const call = toolCall("held", { name: "call" });
    const answer = await session.post(call, { "X-Expires-At": soon() });
    const text = await answer.text();
    // After the standalone stream, which a client may have lost at the same moment.
    expect(text).toMatch(/^id: (\S+)\nretry: 400\ndata: \n\n$/m);
    const cursor = /^id: (\S+)\nretry: 400$/m.exec(text)?.[1];
    const late = await session.fetch("GET", { "Last-Event-ID": cursor ?? "", "X-Expires-At": "1" });
    expect(late.status).toBe(401);
    const again = await session.fetch("GET", { "Last-Event-ID": cursor ?? "", "X-Expires-At": soon() });
    expect(await readEvents(again).rest()).toEqual([]);
    await session.tool("tally", { name: "go call" });
    expect(await (await session.get(cursor)).rest()).toMatchObject([{ id: call.id, result: {} }]);
    await eventually(() =>
      expect(endingsOf(server, session).map(({ reason }) => reason)).toEqual(["expired", "expired", "done"]),
    );
  });

  test("a client of an earlier revision, which would not come back, has its call's whole answer", async () => {
    const session = await openSession(server.url, { headers: AMY, version: "2025-06-18" });
    const call = toolCall("sleep", { ms: 3500 });
    const posted = readEvents(await session.post(call, { "X-Expires-At": soon() }));
    expect(await posted.rest()).toMatchObject([{ id: call.id, result: {} }]);
  });

  test("a client that has forgotten its place when it was told 401 gets the rest of its call all the same", async () => {
    const session = await openSession(server.url, { headers: AMY });
    const until = soon();
    const call = toolCall("burst", { tag: "t", sizes: Array(30).fill(10), intervalMs: 150, on: "request" });
    const standing = await session.fetch("GET", { "X-Expires-At": until });
    const calling = readEvents(await session.post(call, { "X-Expires-At": until }));
    const before = await calling.rest();
    await standing.text();
    // One takes the standalone stream, whichever comes first; the other is for the call.
    const first = await session.get();
    const second = await session.get();
    const after = await second.rest();
    expect(numbers([...before, ...after])).toEqual(upTo(30));
    expect(after.at(-1)).toMatchObject({ id: call.id, result: {} });
    // The standalone stream is there, and who comes for it again has it.
    await session.tool("burst", { tag: "s", sizes: [10], intervalMs: 1, on: "standalone" });
    expect(numbers([await first.message()])).toEqual([1]);
    const cursor = first.lastEventId;
    await (await session.get(cursor)).next();
    expect(await first.rest()).toEqual([]);
  });

  test("an HTTP+SSE stream ends with it", async () => {
    const session = await openSse(server.url, { headers: { ...AMY, "X-Expires-At": soon() } });
    expect(await session.stream.rest()).toEqual([]);
    await eventually(() =>
      expect(endingsOf(server, session).map(({ reason }) => reason)).toEqual(["expired"]),
    );
  });

  test("without a session a call in flight is answered: its client could not come back for it", async () => {
    const headers = { ...AMY, "X-Expires-At": soon(), "MCP-Protocol-Version": "2025-11-25" };
    const call = toolCall("sleep", { ms: 2500 });
    expect(await (await post(`${server.url}/mcp`, call, headers)).text()).toContain("slept");
  });

  test("2026-07-28: who listens is cut off; a call in flight is answered", async () => {
    const headers = { ...AMY, "X-Expires-At": soon() };
    const call = modernRequest("tools/call", { name: "sleep", arguments: { ms: 2500 } });
    const answered = postModern(server.url, call, headers).then((answer) => answer.text());
    const listening = await listen(server.url, { toolsListChanged: true }, { headers });
    expect(await listening.rest()).toEqual([]);
    expect(await answered).toContain("slept");
  });

  test.each([
    ["past", "1"],
    ["now", String(Math.floor(Date.now() / 1000))],
    ["no number", "soon"],
  ])("a token whose end is %s opens nothing", async (_what, at) => {
    const headers = { ...AMY, "X-Expires-At": at, "X-Resource": "https://mcp.example.com/mcp" };
    const refused = await post(`${server.url}/mcp`, initialize(), headers);
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([
      401,
      'Bearer error="invalid_token", error_description="the token has expired", ' +
        'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"',
    ]);
    const session = await openSession(server.url, { headers: AMY });
    expect((await session.fetch("GET", { "X-Expires-At": at })).status).toBe(401);
  });

  describe.each(SDKS.filter(({ resumesCalls }) => resumesCalls))("client $name", (sdk) => {
    test("with tokens that last a second or two hears all that there is to hear, once and in order", async () => {
      const client = await sdk.connect(server.url, {
        // Read anew for each request: each has a fresh token.
        headers: {
          ...AMY,
          get "X-Expires-At"() {
            return soon();
          },
        },
      });
      const count = 50;
      const sizes = Array<number>(count).fill(10);
      await client.call("burst", { tag: "t", sizes, intervalMs: 100, on: "standalone" });
      await eventually(() => expect(numbers(client.notifications)).toHaveLength(count));
      expect(numbers(client.notifications)).toEqual(upTo(count));
      const gets = client.sent.filter(({ method }) => method === "GET");
      expect(gets.length).toBeGreaterThan(2);
      expect(gets.slice(1).every(({ headers }) => headers.has("last-event-id"))).toBe(true);
      // Longer than any of its tokens.
      expect(await client.call("sleep", { ms: 3000 })).toBe("slept");
      await client.close();
    });
  });
});
