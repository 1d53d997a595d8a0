/** A principal who is shut out, in what belongs to no session: listeners, calls in flight, requests still on their way. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ENDED_TOPIC } from "../../src/endings.ts";
import { createLocalMcp, serve } from "../../src/local/node.ts";
import { inspectHub } from "../support/back-door.ts";
import { answerOf, openSession, post } from "../support/mcp.ts";
import { initialize, type Message, toolCall } from "../support/messages.ts";
import { call, listen, type Listening, modernRequest, postModern } from "../support/modern.ts";
import { testModern } from "../support/test-modern.ts";
import { testOptions } from "../support/test-options.ts";
import { createTestServer } from "../support/test-server.ts";
import { unfinishedPost } from "../support/unfinished-post.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd } from "../support/workerd.ts";

interface Host {
  /** One for each isolate. */
  readonly urls: readonly string[];
  /** In the first isolate. */
  endAll(principal: string): Promise<number>;
  /** Links to the hub that carries who is shut out. */
  links(): Promise<number>;
  close(): Promise<void>;
}

const as = (principal: string): { Authorization: string } => ({ Authorization: `Bearer ${principal}:1` });
const someone = (): string => `u${crypto.randomUUID().slice(0, 8)}`;

const VARS = { TEST_AUTH: "on", HOLDFAST_KEEPALIVE_INTERVAL_MS: "500" };

async function startLocal(): Promise<Host> {
  const mcp = createLocalMcp({
    ...testOptions(VARS),
    ...testModern(VARS),
    createServer: createTestServer,
    keepaliveIntervalMs: 500,
    logLevel: "silent",
  });
  const server = await serve({ fetch: mcp.router.fetch, port: 0, onClose: mcp.close });
  const { url, close } = server;
  return { urls: [url], endAll: mcp.sessions.endAll, links: async () => 0, close };
}

async function startWorker(): Promise<Host> {
  const { url, urls, close } = await startWorkerd({ services: 2, vars: { ...VARS, TEST_SESSIONS: "on" } });
  return {
    urls,
    close,
    links: async () => (await inspectHub(url, ENDED_TOPIC)).sockets,
    async endAll(principal) {
      const answer = await fetch(`${url}/__test/end-all?principal=${principal}`);
      if (!answer.ok) throw new Error(await answer.text());
      return (await answer.json()) as number;
    },
  };
}

describe.each([
  { host: "node", start: startLocal },
  { host: "workerd", start: startWorker },
])("on $host", ({ host, start }) => {
  let server: Host;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.close());
  const listenAs = (url: string, principal: string): Promise<Listening> =>
    listen(url, { resourceSubscriptions: ["test://shut-out"] }, { headers: as(principal) });
  const publish = async (n: number): Promise<void> => {
    const [url = ""] = server.urls;
    await call(url, "publish", { uri: "test://shut-out", from: n, to: n }, as("publisher"));
  };
  const sleep = { name: "sleep", arguments: { ms: 600_000 } };

  test("hears nothing more, in whatever isolate; others do", async () => {
    const [ada, ben] = [someone(), someone()];
    const adas = await Promise.all([...server.urls, ...server.urls].map((url) => listenAs(url, ada)));
    const bens = await Promise.all(server.urls.map((url) => listenAs(url, ben)));
    await publish(1);
    for (const stream of [...adas, ...bens]) expect((await stream.message()).params?.["n"]).toBe(1);
    expect(await server.endAll(ada)).toBe(0);
    const rests = adas.map((stream) => stream.rest());
    expect(await Promise.all(rests)).toEqual(adas.map(() => []));
    await publish(2);
    for (const stream of bens) {
      expect((await stream.message()).params?.["n"]).toBe(2);
      stream.leave();
    }
    // Whoever is admitted again listens again.
    const back = await listenAs(server.urls[0] ?? "", ada);
    await publish(3);
    expect((await back.message()).params?.["n"]).toBe(3);
    back.leave();
    await eventually(async () => expect(await server.links()).toBe(0));
  });

  const ended = { error: { data: { reason: "session-ended" } } };

  test("has calls in flight answered with one error, in whatever isolate they run", async () => {
    const [ada, ben] = [someone(), someone()];
    const calls: Promise<Message>[] = [];
    const lasting = async (principal: string, url: string): Promise<void> => {
      const modern = modernRequest("tools/call", sleep);
      calls.push(answerOf(await postModern(url, modern, as(principal)), modern.id));
      const plain = toolCall("sleep", sleep.arguments);
      calls.push(answerOf(await post(`${url}/mcp`, plain, as(principal)), plain.id));
    };
    for (const url of server.urls) await lasting(ada, url);
    const controller = new AbortController();
    const bens = await postModern(
      server.urls[0] ?? "",
      modernRequest("tools/call", sleep),
      as(ben),
      controller.signal,
    );
    // A link for each isolate: it is up once those calls have lasted for a moment.
    await eventually(async () => expect(await server.links()).toBe(host === "node" ? 0 : server.urls.length));
    await server.endAll(ada);
    for (const answer of await Promise.all(calls)) expect(answer).toMatchObject(ended);
    // The others' is still under way.
    const reader = bens.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    controller.abort();
  });

  test("does not begin anything with a request that was let in before and is still on its way", async () => {
    const [url = ""] = server.urls;
    const ada = someone();
    const session = await openSession(url, { headers: as(ada) });
    const bodies = [
      JSON.stringify(initialize()),
      JSON.stringify(toolCall("echo", { text: "hi" })),
      JSON.stringify(modernRequest("tools/call", { name: "echo", arguments: { text: "hi" } })),
    ];
    const begun = bodies.map((body) =>
      unfinishedPost(`${url}/mcp`, { headers: as(ada), length: body.length, body: body.slice(0, 10) }),
    );
    // They have been let in once a later request has been served: all come to one thread, in order.
    for (let n = 0; n < 5; n++) await session.tool("echo", { text: "hi" });
    expect(await server.endAll(ada)).toBe(1);
    for (const [index, request] of begun.entries()) request.write((bodies[index] ?? "").slice(10));
    for (const { answer } of begun) expect((await answer).status).toBe(401);
    // What comes from now on is judged by `authorize` alone.
    expect(await call(url, "echo", { text: "hi" }, as(ada))).toBe("hi");
  });

  test("keeps no link where nothing lasts", async () => {
    const ada = someone();
    // Those of earlier tests go as their clients are seen to have left.
    await eventually(async () => expect(await server.links()).toBe(0));
    for (const url of server.urls) {
      expect(await call(url, "echo", { text: "hi" }, as(ada))).toBe("hi");
      expect((await post(`${url}/mcp`, toolCall("echo", { text: "hi" }), as(ada))).status).toBe(200);
    }
    expect(await server.links()).toBe(0);
  });
});
