/** What tools are told of who calls is the same wherever they run. */
import { describe, expect, onTestFinished, test } from "vitest";
import { createLocalMcp } from "../../src/local/index.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { toolCall } from "../support/messages.ts";
import { ACCEPT_BOTH, answerOf, openSession, post } from "../support/mcp.ts";
import { call } from "../support/modern.ts";
import { textOf } from "../support/messages.ts";
import { createTestServer } from "../support/test-server.ts";

const RESOURCE = "https://mcp.example.com/mcp?tenant=blue";
const AMY = { Authorization: "Bearer amy:1", "X-Resource": RESOURCE, "X-Scopes": "a b" };

describe.each(hosts)("on $name", (host) => {
  const server = mortal(host, { TEST_AUTH: "on" });

  test("`authInfo.resource` is a URL in every era, before and after a restart", async () => {
    const seen = { isUrl: true, href: RESOURCE, padding: 0, scopes: ["a", "b"] };
    const session = await openSession(server.url, { headers: AMY });
    expect(JSON.parse((await session.tool("auth_info")) ?? "")).toEqual(seen);
    expect(JSON.parse((await call(server.url, "auth_info", {}, AMY)) ?? "")).toEqual(seen);
    const sessionless = await answerOf(await post(`${server.url}/mcp`, toolCall("auth_info"), AMY));
    expect(JSON.parse(textOf(sessionless) ?? "")).toEqual(seen);
    await server.kill();
    await server.restart();
    expect(JSON.parse((await session.tool("auth_info")) ?? "")).toEqual(seen);
  });

  test("an `authInfo` of half a megabyte reaches the tool whole, and opens streams", async () => {
    const large = { ...AMY, "X-Padding": "250000" };
    const session = await openSession(server.url, { headers: large });
    const answer = await answerOf(await session.post(toolCall("auth_info")));
    expect(JSON.parse(textOf(answer) ?? "")).toMatchObject({ padding: 250_000 });
    const stream = await session.get();
    await session.tool("emit", { count: 1, on: "standalone" });
    expect(await stream.message()).toMatchObject({ method: "notifications/message" });
    stream.leave();
  });
});

test("the factory is told of the caller of each request without a session", async () => {
  const told: [era: string, principal: unknown, authInfo: unknown][] = [];
  const mcp = createLocalMcp({
    createServer(context) {
      if (context.era === "request") told.push([context.era, context.principal, context.authInfo]);
      return createTestServer(context);
    },
    authorize: (request) => ({ principal: "amy", authInfo: { token: request.headers.get("x-token") } }),
    logLevel: "silent",
  });
  onTestFinished(() => mcp.close());
  for (const token of ["first", "second"]) {
    const answer = await mcp.router.request("/mcp", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: ACCEPT_BOTH, "X-Token": token },
      body: JSON.stringify(toolCall("echo", { text: "hi" })),
    });
    expect(answer.status).toBe(200);
    await answer.text();
  }
  expect(told).toEqual([
    ["request", "amy", { token: "first" }],
    ["request", "amy", { token: "second" }],
  ]);
});
