/** What one session can make the hub keep, and that it takes nothing from the others. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { inspectHub } from "../support/back-door.ts";
import { type McpSession, openSession } from "../support/mcp.ts";
import { type Message, request, upTo } from "../support/messages.ts";
import { call } from "../support/modern.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

const MOST = 30;

let server: Workerd;
beforeAll(async () => {
  server = await startWorkerd({
    vars: { HOLDFAST_LOG_LEVEL: "debug", HOLDFAST_MAX_SUBSCRIPTIONS: String(MOST) },
  });
});
afterAll(() => server.close());

/** The keys that the hub has of this session. */
async function keysOf(session: McpSession): Promise<unknown[]> {
  const rows = (await inspectHub(server.url)).tables["watch"] ?? [];
  return rows.filter((row) => row["session"] === session.id).map((row) => row["name"]);
}

const subscribe = (uri: string, id: string | number = uri): Message =>
  request("resources/subscribe", { uri }, id);
const unsubscribe = (uri: string): Message => request("resources/unsubscribe", { uri });

test("a session that asks for more than it may have makes nobody deaf", async () => {
  const greedy = await openSession(server.url, { version: "2025-03-26" });
  const refused: Message[] = [];
  const accepted: Message[] = [];
  for (let batch = 0; batch < 20; batch++) {
    const messages = upTo(20).map((n) => subscribe(`test://greedy/${batch}/${n}`));
    const answers = (await (await greedy.post(messages)).json()) as Message[];
    expect(answers).toHaveLength(20);
    for (const answer of answers) (answer.error === undefined ? accepted : refused).push(answer);
  }
  expect(refused.length).toBeGreaterThan(300);
  // Every answer that says "subscribed" is true, and nothing else is kept.
  expect(await keysOf(greedy)).toHaveLength(accepted.length);
  expect(accepted.length).toBeLessThanOrEqual(MOST + 1);

  const other = await openSession(server.url);
  const stream = await other.get();
  expect(await other.request(subscribe("test://mine"))).toHaveProperty("result");
  await call(server.url, "publish", { uri: "test://mine", to: 3 });
  expect((await stream.messages(3)).map(({ params }) => params?.["n"])).toEqual(upTo(3));
  await eventually(async () => expect(await keysOf(other)).toContain("list_changed"));
  stream.leave();

  await greedy.fetch("DELETE");
  await eventually(async () => expect(await keysOf(greedy)).toEqual([]));
});

test("what is unsubscribed is forgotten at once, and makes room", async () => {
  const session = await openSession(server.url);
  const uris = upTo(MOST).map((n) => `test://room/${n}`);
  for (const uri of uris) expect(await session.request(subscribe(uri))).toHaveProperty("result");
  expect(await session.request(subscribe("test://room/more"))).toHaveProperty("error");
  for (const uri of uris) expect(await session.request(unsubscribe(uri))).toHaveProperty("result");
  await eventually(async () => expect(await keysOf(session)).toEqual([]));
  for (const uri of uris) expect(await session.request(subscribe(uri))).toHaveProperty("result");
  expect(await keysOf(session)).toHaveLength(MOST);
});

test("subscribing and unsubscribing again and again ends with the last word", async () => {
  const session = await openSession(server.url, { version: "2025-03-26" });
  const uri = "test://restless";
  const stream = await session.get();
  for (let n = 0; n < 10; n++) {
    const batch = [subscribe(uri, `a${n}`), { ...unsubscribe(uri), id: `b${n}` }, subscribe(uri, `c${n}`)];
    await session.post(batch);
  }
  expect(await keysOf(session)).toContain(`resource_updated ${uri}`);
  await call(server.url, "publish", { uri, to: 1 });
  expect((await stream.message()).params).toMatchObject({ uri });
  stream.leave();
});

test("a long address is kept by its hash, and heard of all the same", async () => {
  const session = await openSession(server.url);
  const uri = `test://long/${"x".repeat(4000)}`;
  const stream = await session.get();
  expect(await session.request(subscribe(uri, "long"))).toHaveProperty("result");
  const keys = (await keysOf(session)).map(String);
  expect(keys.filter((key) => key.startsWith("sha256:"))).toHaveLength(1);
  expect(Math.max(...keys.map((key) => key.length))).toBeLessThan(200);
  await call(server.url, "publish", { uri, to: 1 });
  expect((await stream.message()).params).toMatchObject({ uri, n: 1 });
  await session.request(unsubscribe(uri));
  await eventually(async () => expect(await keysOf(session)).toEqual(["list_changed"]));
  stream.leave();
});

test("what the server refuses is not asked of the hub", async () => {
  const session = await openSession(server.url);
  expect(await session.request(request("resources/subscribe", {}, "no uri"))).toHaveProperty("error");
  expect(await session.request(request("resources/subscribe", { uri: 7 }, "no string"))).toHaveProperty(
    "error",
  );
  expect(await keysOf(session)).toEqual([]);
});
