/** The one link of an isolate to the hub: whose request holds it, and what is said where there is none. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deafenHub, inspectHub } from "../support/back-door.ts";
import { answerOf } from "../support/mcp.ts";
import { upTo } from "../support/messages.ts";
import { listen, type Listening, modernRequest, postModern } from "../support/modern.ts";
import { eventually } from "../support/wait.ts";
import { startWorkerd, type Workerd } from "../support/workerd.ts";
import { freshUri, numbers, publish, twoIsolates } from "./two-isolates.ts";

let a: string;
let b: string;
const { server, open, logged } = twoIsolates();
beforeAll(() => {
  [a = "", b = ""] = server.urls;
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
    await eventually(() =>
      expect(logged("listen.link_failed")[0]).toMatchObject({
        topic: "default",
        message: "the hub answered 503",
      }),
    );
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
    expect(refused.error).toMatchObject({ code: -32000 });
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
