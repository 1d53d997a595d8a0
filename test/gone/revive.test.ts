/** A session whose time is up, taken up again under its own id (`recovery: "revive"`, the default). */
import { beforeAll, expect, test } from "vitest";
import { createLocalMcp } from "../../src/local/node.ts";
import { ask, open } from "../local/served.ts";
import { describeBeside } from "../support/beside.ts";
import { expectNotFound, expiry, SHORT_LIVED } from "../support/gone.ts";
import { hosts, mortal } from "../support/hosts.ts";
import { initialize, request, toolCall } from "../support/messages.ts";
import { answerOf, type McpSession, openSession } from "../support/mcp.ts";
import { type SdkClient, SDKS } from "../support/sdk-clients.ts";
import type { EventStream } from "../support/sse.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";

/** The ids of the events that a stream has carried, without the priming one. */
const idsOf = ({ seen }: EventStream): string[] =>
  seen.flatMap((item) =>
    item.type === "event" && item.id !== undefined && item.data !== "" ? [item.id] : [],
  );

const LIST = request("tools/list");

describeBeside(hosts, "on $name", (host) => {
  const server = mortal(host, { ...SHORT_LIVED, TEST_AUTH: "on" });
  const ann = { Authorization: "Bearer ann:1" };
  const bob = { Authorization: "Bearer bob:1" };
  /** Ann's sessions that have ended of age; each has counted to 3. */
  const dead: McpSession[] = [];
  const taken = (): McpSession => {
    const session = dead.pop();
    if (session === undefined) throw new Error("all used up");
    return session;
  };
  const clients: { name: string; client: SdkClient }[] = [];

  beforeAll(async () => {
    for (const { name, connect } of SDKS) {
      const client = await connect(server.url, { withoutStream: true, headers: ann });
      await client.call("counter", { by: 3 });
      clients.push({ name, client });
    }
    for (let n = 0; n < 9; n++) {
      const session = await openSession(server.url, { headers: ann });
      await session.tool("counter", { by: 3 });
      dead.push(session);
    }
    await expiry(server, [...dead.map(({ id }) => id), ...clients.map(({ client }) => client.sessionId)]);
  });

  test("its next call is answered as if nothing had been, its state with it", async () => {
    const session = taken();
    const response = await session.post(toolCall("counter", { by: 1 }));
    expect(response.status).toBe(200);
    expect(response.headers.get("mcp-session-id")).toBeNull();
    expect(await response.json()).toMatchObject({ result: { content: [{ text: "4" }] } });
    await eventually(() =>
      expect(server.events()).toContainEqual(
        expect.objectContaining({ type: "session.revived", session: session.id.slice(0, 8) }),
      ),
    );
  });

  test.each(["1.20.0", "1.32.2", "2.4.0"])("a client of SDK %s notices nothing", async (sdk) => {
    const found = clients.filter(({ name }) => name.includes(sdk));
    expect(found).not.toEqual([]);
    for (const { client } of found) {
      const id = client.sessionId;
      expect(await client.call("counter", { by: 1 })).toBe("4");
      expect(client.sessionId).toBe(id);
    }
  });

  test("calls that come at once all find it", async () => {
    const session = taken();
    const counted = await Promise.all([1, 2, 3, 4].map(() => session.tool("counter", { by: 1 })));
    expect(counted.toSorted()).toEqual(["4", "5", "6", "7"]);
  });

  test("to anybody else it does not exist", async () => {
    const session = taken();
    expect(await expectNotFound(await session.post(LIST, bob))).toBeNull();
    expect(await session.tool("counter", { by: 1 })).toBe("4");
  });

  test("a GET takes it up too, and its stream works", async () => {
    const session = taken();
    const stream = await session.get();
    await session.post(toolCall("emit", { count: 1, on: "standalone" }));
    expect(await stream.message()).toMatchObject({ method: "notifications/message" });
    stream.leave();
  });

  test("subscriptions last", async () => {
    const session = await openSession(server.url, { headers: ann });
    await session.request(request("resources/subscribe", { uri: "test://kept" }));
    await expiry(server, [session.id]);
    const stream = await session.get();
    await session.tool("publish", { uri: "test://kept", to: 1 });
    expect(await stream.message()).toMatchObject({
      method: "notifications/resources/updated",
      params: { uri: "test://kept" },
    });
    stream.leave();
  });

  test("old events are gone, and that is said; new ones go on after them", async () => {
    const session = await openSession(server.url, { headers: ann });
    const stream = await session.get();
    await session.post(toolCall("emit", { count: 2, on: "standalone" }));
    await stream.message();
    const first = idsOf(stream)[0];
    stream.leave();
    await expiry(server, [session.id]);
    const resumed = await session.get(first);
    await session.post(toolCall("emit", { count: 1, on: "standalone" }));
    await resumed.message();
    const last = idsOf(resumed).at(-1);
    expect(last?.split(".")[0]).toBe(first?.split(".")[0]);
    expect(parseInt(last?.split(".")[1] ?? "", 36)).toBe(3);
    expect(resumed.seen).toContainEqual(
      expect.objectContaining({ type: "comment", text: expect.stringMatching(/^gap: /) }),
    );
    resumed.leave();
  });

  test("DELETE is final, before and after the time is up", async () => {
    const session = taken();
    expect((await session.fetch("DELETE")).status).toBe(204);
    await expectNotFound(await session.post(LIST));
    const [live] = [await openSession(server.url, { headers: ann })];
    expect((await live?.fetch("DELETE"))?.status).toBe(204);
    await expectNotFound(await (live as McpSession).post(LIST));
  });

  test("an initialize that names it opens a session of its own", async () => {
    const session = taken();
    const opened = await session.post(initialize());
    expect(opened.status).toBe(200);
    expect(opened.headers.get("mcp-session-id")).not.toBe(session.id);
  });

  test("it is found after a SIGKILL as well", async () => {
    const session = taken();
    await server.kill();
    await server.restart();
    expect(await session.tool("counter", { by: 1 })).toBe("4");
  });
});

test("once its tombstone has gone too, it is gone", async () => {
  const mcp = createLocalMcp({
    createServer: createTestServer,
    sessionTtlMs: 300,
    keepaliveIntervalMs: 100,
    tombstoneTtlMs: 300,
    onEvent: () => {},
  });
  const id = await open(mcp);
  // Asks nothing of the session: a request would wake it.
  await eventually(() => expect(mcp.host.find(id, {})).toBeUndefined());
  expect((await ask(mcp, LIST, id)).status).toBe(404);
  await mcp.close();
});

test("a session whose server refuses the stored initialize is a 404 that names a successor", async () => {
  let isRefusing = false;
  const events: string[] = [];
  const mcp = createLocalMcp({
    createServer: (context) => {
      if (isRefusing && context.session?.rehydrated === true) throw new Error("not this client any more");
      return createTestServer(context);
    },
    sessionTtlMs: 300,
    keepaliveIntervalMs: 100,
    evictAfterMs: 50,
    onEvent: ({ type }) => events.push(type),
  });
  const id = await open(mcp);
  await eventually(() => expect(events).toContain("session.expired"));
  isRefusing = true;
  const response = await ask(mcp, LIST, id);
  expect(response.status).toBe(404);
  expect(response.headers.get("mcp-session-id")).toMatch(/^[0-9a-f]{64}$/);
  await mcp.close();
});

test("one that is found by its key, and whose server refuses what its client once said, begins anew with its state", async () => {
  let isRefusing = false;
  const events: string[] = [];
  const mcp = createLocalMcp({
    createServer(context) {
      const server = createTestServer(context);
      if (!isRefusing) return server;
      server.server.setRequestHandler("initialize", ({ params }) => {
        if (params.clientInfo.name === "refused") throw new Error("not this client any more");
        const { protocolVersion } = params;
        return { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "new", version: "2" } };
      });
      return server;
    },
    authorize: () => ({ principal: "ada" }),
    sessionKey: () => "one",
    sessionTtlMs: 300,
    keepaliveIntervalMs: 100,
    evictAfterMs: 50,
    onEvent: ({ type }) => events.push(type),
  });
  const hello = initialize();
  const introduced = { ...hello, params: { ...hello.params, clientInfo: { name: "refused", version: "1" } } };
  expect((await ask(mcp, introduced)).status).toBe(200);
  expect(await answerOf(await ask(mcp, toolCall("counter", { by: 5 })))).toMatchObject({
    result: { content: [{ text: "5" }] },
  });
  await eventually(() => expect(events).toContain("session.expired"));
  isRefusing = true;
  const counted = await answerOf(await ask(mcp, toolCall("counter", { by: 1 })));
  expect(counted).toMatchObject({ result: { content: [{ text: "6" }] } });
  await mcp.close();
});
