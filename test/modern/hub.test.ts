/** `subscriptions/listen` across isolates: two services, each an isolate of its own, on one hub. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { abortHub, deafenHub, inspectHub } from "../support/back-door.ts";
import { answerOf, openSession } from "../support/mcp.ts";
import { upTo } from "../support/messages.ts";
import { call, listen, type Listening, modernRequest, postModern } from "../support/modern.ts";
import { eventually, within } from "../support/wait.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";

let server: Workerd;
let a: string;
let b: string;
let opened: Listening[] = [];

beforeAll(async () => {
  server = await startWorkerd({
    services: 2,
    // A client that has left is seen when something is written to it.
    vars: { HOLDFAST_LOG_LEVEL: "debug", HOLDFAST_KEEPALIVE_INTERVAL_MS: "500" },
  });
  [a = "", b = ""] = server.urls;
});
afterAll(() => server?.close());
afterEach(async () => {
  for (const stream of opened.splice(0)) stream.leave();
  await eventually(async () => expect((await inspectHub(a)).sockets).toBe(0));
});

let lastUri = 0;
function freshUri(): string {
  return `test://hub/${++lastUri}`;
}

async function open(url: string, uri: string): Promise<Listening> {
  const stream = await listen(url, { resourceSubscriptions: [uri] });
  opened.push(stream);
  return stream;
}

/** Publishes numbered changes of a resource by calls of a tool, so many each. */
async function publish(
  url: string,
  uri: string,
  from: number,
  to: number,
  each = to - from + 1,
): Promise<void> {
  for (let n = from; n <= to; n += each) {
    const last = Math.min(to, n + each - 1);
    expect(await call(url, "publish", { uri, from: n, to: last })).toBe("published");
  }
}

async function numbers(stream: Listening, count: number): Promise<unknown[]> {
  return (await stream.messages(count)).map(({ params }) => params?.["n"]);
}

function logged(type: string): { type: string; [field: string]: unknown }[] {
  return server.events().filter((event) => event.type === type);
}

test("200 listeners in one isolate hear 1000 changes of another, in order, once each", async () => {
  const uri = freshUri();
  const streams: Listening[] = [];
  for (let n = 0; n < 200; n++) streams.push(await open(b, uri));
  const own = await open(a, uri);
  // One link for each isolate, however many listen.
  expect((await inspectHub(a)).sockets).toBe(2);

  const heard = [own, ...streams].map((stream) => within(numbers(stream, 1000), "1000 changes", 60_000));
  await publish(a, uri, 1, 900, 90);
  await publish(a, uri, 901, 1000, 1);
  for (const each of await Promise.all(heard)) expect(each).toEqual(upTo(1000));

  // Nothing came twice: the next thing that comes is new.
  await publish(b, uri, 1001, 1001);
  const next = await Promise.all([own, ...streams].map((stream) => numbers(stream, 1)));
  expect(new Set(next.flat())).toEqual(new Set([1001]));
  expect(logged("listen.gap")).toEqual([]);
});

test("a hub that dies in the middle loses nothing: what was published meanwhile comes when the link is back", async () => {
  const uri = freshUri();
  const streams = [await open(a, uri), await open(b, uri), await open(b, uri)];
  const heard = streams.map((stream) => numbers(stream, 300));
  const before = logged("listen.redialled").length;
  for (let round = 0; round < 30; round++) {
    const publishing = publish(a, uri, round * 10 + 1, round * 10 + 10, 2);
    await abortHub(b);
    await publishing;
  }
  for (const each of await Promise.all(heard)) expect(each).toEqual(upTo(300));
  expect(logged("listen.redialled").length).toBeGreaterThan(before);
  expect(logged("listen.gap")).toEqual([]);
  expect(logged("listen.publish_failed")).toEqual([]);
});

test("what is published while there is no link comes when it is back", async () => {
  const uri = freshUri();
  const stream = await open(b, uri);
  await publish(a, uri, 1, 10);
  expect(await numbers(stream, 10)).toEqual(upTo(10));
  await deafenHub(a, true);
  await publish(a, uri, 11, 60);
  await eventually(async () => {
    const publications = (await inspectHub(a)).tables["publication"] ?? [];
    expect(String(publications.at(-1)?.["changes"])).toContain('"n":60}');
  });
  await deafenHub(a, false);
  expect(await numbers(stream, 50)).toEqual(upTo(60).slice(10));
  expect(logged("listen.gap")).toEqual([]);
});

test("what the hub no longer held when the link came back is said, and the rest comes", async () => {
  const uri = freshUri();
  const stream = await open(b, uri);
  await publish(a, uri, 1, 10);
  expect(await numbers(stream, 10)).toEqual(upTo(10));
  await deafenHub(a, true);
  await publish(a, uri, 11, 5010, 500);
  const { tables } = await eventually(async () => {
    const inspection = await inspectHub(a);
    const held = inspection.tables["publication"] ?? [];
    const changes = held.flatMap((row) => JSON.parse(String(row["changes"])) as { params: { n: number } }[]);
    expect(changes.at(-1)?.params.n).toBe(5010);
    return inspection;
  });
  const [first] = JSON.parse(String(tables["publication"]?.[0]?.["changes"])) as { params: { n: number } }[];
  const oldest = first?.params.n ?? 0;
  await deafenHub(a, false);
  const heard = await numbers(stream, 5010 - oldest + 1);
  expect(heard).toEqual(upTo(5010).slice(oldest - 1));
  expect(logged("listen.gap")).toEqual([
    { type: "listen.gap", level: "warn", topic: "default", missed: oldest - 11 },
  ]);
});

test("the listener whose request holds the link may leave: another's takes over", async () => {
  const uri = freshUri();
  const holder = await open(b, uri);
  const others = [await open(b, uri), await open(b, uri), await open(b, uri)];
  await publish(a, uri, 1, 5);
  for (const stream of [holder, ...others]) expect(await numbers(stream, 5)).toEqual(upTo(5));
  holder.leave();
  const heard = others.map((stream) => numbers(stream, 300));
  // Some of it before the edge has seen that the client is gone, some of it after.
  await publish(a, uri, 6, 205, 2);
  await eventually(() => expect(logged("connection.closed_detected").length).toBeGreaterThan(0));
  await publish(a, uri, 206, 305, 10);
  for (const each of await Promise.all(heard)) expect(each).toEqual(upTo(305).slice(5));
  expect((await inspectHub(a)).sockets).toBe(1);
});

test("what is published from outside of any tool is heard", async () => {
  const uri = freshUri();
  const stream = await open(b, uri);
  await fetch(`${a}/__test/notify?uri=${encodeURIComponent(uri)}`);
  expect(await stream.message()).toMatchObject({
    method: "notifications/resources/updated",
    params: { uri },
  });
});

test("while the hub cannot be reached a listener is turned away in band, not left to hear nothing", async () => {
  await deafenHub(a, true);
  try {
    const message = modernRequest(
      "subscriptions/listen",
      { notifications: { toolsListChanged: true } },
      "deaf",
    );
    const answer = await answerOf(await postModern(b, message), "deaf");
    expect(answer.error).toMatchObject({ code: -32603 });
    expect(logged("listen.link_failed")[0]).toMatchObject({
      topic: "default",
      message: "the hub answered 503",
    });
  } finally {
    await deafenHub(a, false);
  }
});

test("the hub sleeps while its links stand, and wakes for the next change", { timeout: 90_000 }, async () => {
  const uri = freshUri();
  const stream = await open(b, uri);
  const { bootId } = await inspectHub(a);
  const before = logged("listen.redialled").length;
  // Each look wakes it, so looks are far apart; it falls asleep some ten seconds after the last.
  let awake = bootId;
  for (let look = 0; look < 4 && awake === bootId; look++) {
    await new Promise((resolve) => setTimeout(resolve, 12_000 + 4000 * look));
    awake = (await inspectHub(a)).bootId;
  }
  expect(awake).not.toBe(bootId);
  await publish(a, uri, 1, 3);
  expect(await numbers(stream, 3)).toEqual(upTo(3));
  expect(logged("listen.redialled").length).toBe(before);
});

describe("sessions", () => {
  test("that sleep without a stream find it when they come back", async () => {
    const uri = freshUri();
    const session = await openSession(a);
    await session.request({ jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } });
    await publish(b, uri, 1, 3);
    const stream = await session.get();
    expect((await stream.messages(3)).map(({ params }) => params?.["n"])).toEqual(upTo(3));
    stream.leave();
  });

  test("with an open stream hear that a list changed; without one they never ask to", async () => {
    const session = await openSession(a);
    const silent = await openSession(a);
    const stream = await session.get();
    await eventually(async () => {
      const watching = (await inspectHub(a)).tables["watch"]?.map((row) => row["session"]);
      expect(watching).toContain(session.id);
      expect(watching).not.toContain(silent.id);
    });
    await call(b, "test_trigger_tool_change");
    expect(await stream.message()).toMatchObject({ method: "notifications/tools/list_changed" });
    stream.leave();
  });

  test("that unsubscribe hear nothing more, and the hub forgets them", async () => {
    const uri = freshUri();
    const session = await openSession(a);
    const stream = await session.get();
    await session.request({ jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } });
    await publish(b, uri, 1, 1);
    expect((await stream.message()).params).toMatchObject({ n: 1 });
    await session.request({ jsonrpc: "2.0", id: 2, method: "resources/unsubscribe", params: { uri } });
    await publish(b, uri, 2, 2);
    await eventually(async () => {
      const names = (await inspectHub(a)).tables["watch"]?.map((row) => row["name"]);
      expect(names).not.toContain(`resource_updated ${uri}`);
    });
    await call(b, "test_trigger_prompt_change");
    expect(await stream.message()).toMatchObject({ method: "notifications/prompts/list_changed" });
    stream.leave();
  });

  test("that end leave nothing with the hub", async () => {
    const uri = freshUri();
    const session = await openSession(a);
    (await session.get()).leave();
    await session.request({ jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } });
    const watching = async (): Promise<unknown[]> =>
      ((await inspectHub(a)).tables["watch"] ?? []).filter((row) => row["session"] === session.id);
    await eventually(async () => expect(await watching()).toHaveLength(2));
    await session.fetch("DELETE");
    await eventually(async () => expect(await watching()).toEqual([]));
  });

  test("that expire leave nothing with the hub either", async () => {
    const brief = await startWorkerd({
      vars: { HOLDFAST_SESSION_TTL_MS: "1000", HOLDFAST_KEEPALIVE_INTERVAL_MS: "500" },
    });
    try {
      const session = await openSession(brief.url);
      await session.request({
        jsonrpc: "2.0",
        id: 1,
        method: "resources/subscribe",
        params: { uri: freshUri() },
      });
      expect((await inspectHub(brief.url)).tables["watch"]).toHaveLength(1);
      await eventually(async () => expect((await inspectHub(brief.url)).tables["watch"]).toEqual([]));
      expect(brief.events().map(({ type }) => type)).toContain("session.expired");
    } finally {
      await brief.close();
    }
  });

  test("that subscribed before the process was killed hear of what is published after it", async () => {
    const uri = freshUri();
    const session = await openSession(a);
    await session.request({ jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: { uri } });
    await server.restart();
    const listener = await eventually(() => open(b, uri));
    await publish(b, uri, 1, 2);
    expect(await numbers(listener, 2)).toEqual([1, 2]);
    const stream = await session.get();
    expect((await stream.messages(2)).map(({ params }) => params?.["n"])).toEqual([1, 2]);
    stream.leave();
  });
});

describe("a Worker without `enable_request_signal`, whose code is often not told when a client leaves", () => {
  let silent: Workerd;
  beforeAll(async () => {
    silent = await startWorkerd({
      flags: [],
      vars: {
        HOLDFAST_LOG_LEVEL: "debug",
        HOLDFAST_KEEPALIVE_INTERVAL_MS: "200",
        TEST_MAX_LISTENERS: "4",
      },
    });
  });
  afterAll(() => silent?.close());

  test("clears listeners away that no longer show life: they neither count nor hold the link", async () => {
    const uri = freshUri();
    const gone = [];
    for (let n = 0; n < 4; n++) gone.push(await listen(silent.url, { resourceSubscriptions: [uri] }));
    const over = modernRequest("subscriptions/listen", { notifications: { toolsListChanged: true } });
    const refused = await answerOf(await postModern(silent.url, over), over.id);
    expect(refused.error).toMatchObject({ code: -32603 });
    for (const stream of gone) stream.leave();
    // All their places are free again, and none of them can hand on the link to the hub.
    const streams: Listening[] = [];
    while (streams.length < 4) {
      streams.push(await eventually(() => listen(silent.url, { resourceSubscriptions: [uri] })));
    }
    await publish(silent.url, uri, 1, 5);
    for (const stream of streams) {
      expect(await numbers(stream, 5)).toEqual(upTo(5));
      stream.leave();
    }
  });
});
