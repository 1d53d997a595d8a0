/** What one isolate publishes is heard in another: in order, once each, though hub or link break meanwhile. */
import { beforeAll, expect, test } from "vitest";
import { abortHub, deafenHub, inspectHub } from "../support/back-door.ts";
import { upTo } from "../support/messages.ts";
import type { Listening } from "../support/modern.ts";
import { eventually, within } from "../support/wait.ts";
import { freshUri, numbers, publish, twoIsolates } from "./two-isolates.ts";

let a: string;
let b: string;
const { server, open, logged } = twoIsolates();
beforeAll(() => {
  [a = "", b = ""] = server.urls;
});

test("200 listeners in one isolate hear 1000 changes of another, in order, once each", async () => {
  const uri = freshUri();
  const streams: Listening[] = [];
  for (let n = 0; n < 200; n++) streams.push(await open(b, uri));
  const own = await open(a, uri);
  // One link for each isolate, however many listen; one that was late may overlap with the next for a moment.
  await eventually(async () => expect((await inspectHub(a)).sockets).toBe(2));

  const heard: unknown[][] = [own, ...streams].map(() => []);
  // Some at a time: who reads slower than is published is cut off, and here one process reads for all.
  for (let from = 1; from <= 1000; from += 100) {
    const publishing = publish(a, uri, from, from + 99, from > 900 ? 1 : 50);
    const next = await Promise.all(
      [own, ...streams].map((stream) => within(numbers(stream, 100), "100 changes", 120_000)),
    );
    for (const [index, some] of next.entries()) heard[index]?.push(...some);
    await publishing;
  }
  for (const each of heard) expect(each).toEqual(upTo(1000));

  // Nothing came twice: the next thing that comes is new.
  await publish(b, uri, 1001, 1001);
  const next = await Promise.all([own, ...streams].map((stream) => numbers(stream, 1)));
  expect(new Set(next.flat())).toEqual(new Set([1001]));
  expect(logged("listen.gap")).toEqual([]);
  // 200,000 messages, all of them read and compared here.
}, 240_000);

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
  await eventually(() => expect(logged("listen.redialled").length).toBeGreaterThan(before));
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
  await eventually(() =>
    expect(logged("listen.gap")).toEqual([
      { type: "listen.gap", level: "warn", time: expect.any(Number), topic: "default", missed: oldest - 11 },
    ]),
  );
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
