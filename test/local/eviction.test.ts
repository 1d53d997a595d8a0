/** Memory follows the sessions in use: the rest are in the store alone. */
import { expect, onTestFinished, test, vi } from "vitest";
import { type ConnectableServer, createLocalMcp } from "../../src/local/index.ts";
import { openSession } from "../support/mcp.ts";
import { toolCall } from "../support/messages.ts";
import { readEvents } from "../support/sse.ts";
import { text } from "../../worker/example/reply.ts";
import { createTestServer } from "../support/test-server.ts";
import { eventually } from "../support/wait.ts";
import { ask, open, type Served, served } from "./served.ts";

const EVICT = { evictAfterMs: 40 };

const evicted = ({ host }: Served, left: number = 0): Promise<void> =>
  eventually(() => expect(host.inMemory).toBe(left));

/** How often a server of the session took the place of an evicted one. */
const rehydrations = ({ events }: Served, { id }: { id: string }): number =>
  events.filter((event) => event.type === "session.rehydrated" && event.session === id.slice(0, 8)).length;

/** A session that is evicted when, and only when, the others could have been. */
async function canary(server: Served, others: number): Promise<void> {
  await openSession(server.url);
  await evicted(server, others);
}

test("an idle session leaves memory with its server, and is taken up again by its next request", async () => {
  const servers: { closed: boolean }[] = [];
  const server = await served({
    ...EVICT,
    createServer: (context): ConnectableServer => {
      const entry = { closed: false };
      servers.push(entry);
      const mcp = createTestServer(context);
      Object.assign(mcp.server, { onclose: () => (entry.closed = true) });
      return mcp;
    },
  });
  const session = await openSession(server.url);
  expect(await session.tool("counter", { by: 5 })).toBe("5");
  await evicted(server);
  // One, or two where the machine was so busy that it was evicted before the call.
  const before = servers.length;
  expect(servers.every(({ closed }) => closed)).toBe(true);

  expect(await session.tool("counter")).toBe("6");
  expect(servers).toHaveLength(before + 1);
  expect(rehydrations(server, session)).toBe(before);
});

test("a session with an open stream stays, however quiet the stream is", async () => {
  const server = await served({ ...EVICT, keepaliveIntervalMs: 0 });
  const session = await openSession(server.url);
  const stream = await session.get();
  await session.tool("counter");
  const before = rehydrations(server, session);
  await canary(server, 1);
  await session.tool("emit", { count: 1, on: "standalone" });
  expect((await stream.message()).params).toMatchObject({ data: { n: 1 } });
  expect(rehydrations(server, session)).toBe(before);
  stream.leave();
  await evicted(server);
});

test("a session with a call in progress stays, though its client is gone", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const server = await served({
    ...EVICT,
    createServer: (context) => {
      const mcp = createTestServer(context);
      mcp.registerTool("wait", {}, () => released.then(() => text("waited")));
      return mcp;
    },
  });
  const session = await openSession(server.url);
  const leaving = new AbortController();
  onTestFinished(() => leaving.abort());
  const call = toolCall("wait");
  const response = await session.post(call, {}, leaving.signal);
  const reader = response.body?.getReader();
  const priming = new TextDecoder().decode((await reader?.read())?.value);
  const id = /^id: (\S+)/m.exec(priming)?.[1];
  leaving.abort();
  await canary(server, 1);
  release();
  // The answer was made by the server that began it, and waits for the client.
  await evicted(server);
  const resumed = await session.get(id);
  expect(await resumed.message()).toMatchObject({ id: call.id, result: { content: [{ text: "waited" }] } });
  expect(server.events.some(({ type }) => type === "session.interrupted")).toBe(false);
});

test("a session whose server is at work on its own stays until that is done", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const mcp = createLocalMcp({ createServer: createTestServer, evictAfterMs: 60_000, onEvent() {} });
  onTestFinished(mcp.close);
  const id = await open(mcp);
  await ask(mcp, toolCall("emit", { count: 10, intervalMs: 50_000, on: "standalone" }), id);
  await vi.advanceTimersByTimeAsync(500_000);
  expect(mcp.host.inMemory).toBe(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(mcp.host.inMemory).toBe(0);

  const stream = readEvents(
    await mcp.router.request("/mcp", { headers: { Accept: "text/event-stream", "Mcp-Session-Id": id } }),
  );
  expect(await stream.messages(10)).toHaveLength(10);
  stream.leave();
});

test("messages that wait for a client wait in the store", async () => {
  const server = await served({ ...EVICT });
  const session = await openSession(server.url);
  await session.tool("emit", { count: 50, on: "standalone" });
  await session.tool("settle");
  await evicted(server);
  const stream = await session.get();
  expect(await stream.messages(50)).toHaveLength(50);
});

test("requests that meet an evicted session all at once are served by one new server", async () => {
  let built = 0;
  const server = await served({
    ...EVICT,
    createServer: (context) => {
      built += 1;
      return createTestServer(context);
    },
  });
  const session = await openSession(server.url);
  await evicted(server);
  const before = built;
  const answers = await Promise.all(Array.from({ length: 10 }, () => session.tool("counter")));
  expect(answers.toSorted((a, b) => Number(a) - Number(b))).toEqual("12345678910".match(/10|\d/g));
  expect(built).toBe(before + 1);
});

test("a deleted session leaves memory at once", async () => {
  const server = await served({ evictAfterMs: 86_400_000 });
  const session = await openSession(server.url);
  expect(server.host.inMemory).toBe(1);
  await session.fetch("DELETE");
  expect(server.host.inMemory).toBe(0);
});
