/** What a session wants to hear from its hub: asked in order, asked again later and later, taken back at its end. */
import { expect, test } from "vitest";
import type { Change } from "../../src/changes.ts";
import { createInterest, type Interest } from "../../src/session/interest.ts";
import { createJournal } from "../../src/session/server/journal.ts";
import { countedStore } from "../support/counted-store.ts";

interface Hub {
  readonly interest: Interest;
  isUp: boolean;
  isLive: boolean;
  readonly asked: [topic: string, add: readonly string[], drop: readonly string[]][];
  readonly published: [string, Change][];
  readonly forgotten: string[];
  readonly rings: number[];
  readonly told: string[];
  readonly noted: () => { name: string; value: string }[];
  readonly subscribe: (uri: string) => void;
}

function hub(): Hub {
  const { store } = countedStore();
  const asked: Hub["asked"] = [];
  const [published, forgotten, rings, told]: [Hub["published"], string[], number[], string[]] = [
    [],
    [],
    [],
    [],
  ];
  const found: Hub = {
    isUp: true,
    isLive: true,
    asked,
    published,
    forgotten,
    rings,
    told,
    noted: () => store.entries("watch"),
    subscribe(uri) {
      createJournal(store, { maxSubscriptions: 9, maxSubscriptionBytes: 9999 }).record({
        jsonrpc: "2.0",
        id: 1,
        method: "resources/subscribe",
        params: { uri },
      });
    },
    interest: createInterest(
      {
        publish: (topic, change) => void published.push([topic, change]),
        watch(topic, add, drop) {
          asked.push([topic, add, drop]);
          return found.isUp ? Promise.resolve() : Promise.reject(new Error("down"));
        },
        forget: (topic) => void forgotten.push(topic),
      },
      {
        id: "a".repeat(64),
        store,
        emit: (type) => void told.push(type),
        isLive: () => found.isLive,
        ringIn: (ms) => void rings.push(ms),
      },
    ),
  };
  return found;
}

test("what is wished for at once is one question, in which the last word on a name counts", async () => {
  const { interest, asked } = hub();
  const first = interest.subscribing("test://a");
  interest.unsubscribed("test://a");
  const second = interest.subscribing("test://b");
  expect(await Promise.all([first, second])).toEqual([true, true]);
  expect(asked).toHaveLength(1);
  const [[, add, drop]] = asked as [Hub["asked"][number]];
  expect([add.length, drop.length]).toEqual([1, 1]);
  expect([add[0]?.endsWith("test://b"), drop[0]?.endsWith("test://a")]).toEqual([true, true]);
});

test("a topic is noted before its hub is asked, and every noted hub is told to forget at the end", async () => {
  const { interest, noted, forgotten, asked, published } = hub();
  interest.by("tenant");
  await interest.subscribing("test://a");
  interest.by("other");
  await interest.listening();
  expect(asked.map(([topic]) => topic)).toEqual(["tenant", "other"]);
  expect(noted()).toEqual([
    { name: "other", value: "lists" },
    { name: "tenant", value: "resources" },
  ]);
  interest.notify.publish({ kind: "tools_list_changed" });
  expect(published).toEqual([["other", { kind: "tools_list_changed" }]]);
  interest.end();
  expect(forgotten.toSorted()).toEqual(["other", "tenant"]);
});

test("the lists are asked for once; a hub that cannot be reached is asked again by the alarm, each time later", async () => {
  const found = hub();
  const { interest, rings, told, asked } = found;
  found.isUp = false;
  await interest.listening();
  for (let n = 0; n < 7; n++) await interest.again(true);
  expect(rings).toEqual([5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
  expect(new Set(told)).toEqual(new Set(["listen.watch_failed"]));
  found.isUp = true;
  await interest.again(true);
  const before = asked.length;
  await interest.again(true);
  await interest.listening();
  expect([asked.length, rings.length]).toEqual([before, 8]);
  // Where it fails for another topic after that, the waits begin anew.
  interest.by("other");
  found.isUp = false;
  await interest.listening();
  expect(rings.at(-1)).toBe(5000);
});

test("a hub that has no room, or a session that has ended, leaves a subscription refused", async () => {
  const found = hub();
  found.isUp = false;
  expect(await found.interest.subscribing("test://a")).toBe(false);
  found.isUp = true;
  found.isLive = false;
  const before = found.asked.length;
  expect(await found.interest.subscribing("test://b")).toBe(false);
  expect(found.asked).toHaveLength(before);
});

test("of what the hub tells, the client gets lists and what it subscribed to; the rest the hub can forget", () => {
  const { interest, subscribe } = hub();
  subscribe("test://mine");
  const { wanted, unwanted } = interest.sift([
    { kind: "resource_updated", uri: "test://mine" },
    { kind: "resource_updated", uri: "test://others" },
    { kind: "prompts_list_changed" },
  ]);
  expect(wanted.map((json) => JSON.parse(json) as unknown)).toEqual([
    { jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri: "test://mine" } },
    { jsonrpc: "2.0", method: "notifications/prompts/list_changed" },
  ]);
  expect(unwanted).toHaveLength(1);
  expect(unwanted[0]).toContain("test://others");
});

test("of a session that is taken up again, what the hub refuses is asked for again by the alarm, with nobody listening", async () => {
  const found = hub();
  const { interest, rings, told, asked } = found;
  for (const uri of ["test://a", "test://b"]) found.subscribe(uri);
  found.isUp = false;
  // Nothing is refused to the request that has woken the session.
  await interest.revived(["test://a", "test://b"]);
  expect([rings, told]).toEqual([[5000], ["listen.watch_failed"]]);
  found.isUp = true;
  await interest.again(false);
  expect(asked.map(([, add]) => add.length)).toEqual([2, 2]);
  // Then it has them, and nothing more is asked.
  await interest.again(false);
  expect([asked.length, rings.length]).toEqual([2, 1]);
});
