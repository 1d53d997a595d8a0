/** What a client and a server can make a session remember: it has bounds, and is counted without being read. */
import { describe, expect, test } from "vitest";
import type { JsonRpcRequest } from "../../src/jsonrpc/messages.ts";
import { createJournal, isSubscribed, type Journal } from "../../src/session/server/journal.ts";
import { createState, type KeptState } from "../../src/session/server/state.ts";
import { type CountedStore, countedStore } from "../support/counted-store.ts";

const MEGABYTE = 1_048_576;

const subscribe = (uri: string, id: number | string = 1): JsonRpcRequest => ({
  jsonrpc: "2.0",
  id,
  method: "resources/subscribe",
  params: { uri, _meta: { progressToken: 1 } },
});
const unsubscribe = (uri: string): JsonRpcRequest => ({ ...subscribe(uri), method: "resources/unsubscribe" });
const setLevel = (level: string): JsonRpcRequest => ({
  jsonrpc: "2.0",
  id: 1,
  method: "logging/setLevel",
  params: { level },
});
const none = { requests: (): JsonRpcRequest[] => [] };

const journalOf = (
  { store }: CountedStore,
  maxSubscriptions = 1000,
  maxSubscriptionBytes = MEGABYTE,
): Journal => createJournal(store, { maxSubscriptions, maxSubscriptionBytes });

describe("the journal", () => {
  test.each([
    "test://plain",
    'test://"quoted"\\',
    "test://é😀",
    "test://\u0000",
    "test://half\ud800",
    "test://a b",
    "",
  ])("brings a subscription back as it was: %j", (uri) => {
    const counted = countedStore();
    journalOf(counted).record(subscribe(uri));
    expect(journalOf(counted).requests()).toEqual([{ method: "resources/subscribe", params: { uri } }]);
    expect(isSubscribed(counted.store, uri)).toBe(true);
    journalOf(counted).record(unsubscribe(uri));
    expect(journalOf(counted).requests()).toEqual([]);
  });

  test("holds so many, and one that is held already goes on", () => {
    const counted = countedStore();
    const journal = journalOf(counted, 2);
    for (const uri of ["a", "b"]) {
      expect(journal.refuse(subscribe(uri), none)).toBeUndefined();
      journal.record(subscribe(uri));
    }
    for (const held of [journal, journalOf(counted, 2)]) {
      expect(held.refuse(subscribe("c", "id"), none)).toEqual({
        jsonrpc: "2.0",
        id: "id",
        error: { code: -32600, message: "This session holds at most 2 subscriptions" },
      });
      expect(held.refuse(subscribe("a"), none)).toBeUndefined();
      expect(held.refuse(setLevel("info"), none)).toBeUndefined();
    }
    journal.record(unsubscribe("a"));
    expect(journal.refuse(subscribe("c"), none)).toBeUndefined();
  });

  test("counts what the server has not answered yet: together they never exceed it", () => {
    const journal = journalOf(countedStore(), 3);
    journal.record(subscribe("a"));
    const underway = (): JsonRpcRequest[] => [
      subscribe("b"),
      subscribe("b"),
      subscribe("a"),
      setLevel("info"),
    ];
    expect(journal.refuse(subscribe("c"), { requests: underway })).toBeUndefined();
    expect(
      journal.refuse(subscribe("d"), { requests: () => [...underway(), subscribe("c")] })?.error?.message,
    ).toContain("3");
    expect(
      journal.refuse(subscribe("b"), { requests: () => [...underway(), subscribe("c")] }),
    ).toBeUndefined();
  });

  test.each([
    ["URI", subscribe(`test://${"é".repeat(600)}`)],
    ["other params", { ...subscribe("test://x"), params: { uri: "test://x", filter: "f".repeat(1200) } }],
    ["level", setLevel("l".repeat(1200))],
  ])("has a bound in bytes: %s", (_what, request) => {
    const journal = journalOf(countedStore(), 1000, 1000);
    expect(journal.refuse(request, none)?.error?.message).toBe(
      "This session holds at most 1000 bytes of subscriptions",
    );
  });

  test("refuses what one row cannot hold, whatever the bound", () => {
    const journal = journalOf(countedStore(), 1000, 64 * MEGABYTE);
    expect(journal.refuse(subscribe("u".repeat(1_950_000)), none)).toBeDefined();
    expect(journal.refuse(subscribe("u".repeat(1_800_000)), none)).toBeUndefined();
  });

  test("is full by bytes over all, and empties again", () => {
    const journal = journalOf(countedStore(), 1000, 1000);
    const uris = Array.from({ length: 20 }, (_, n) => `test://${n}/${"u".repeat(60)}`);
    const accepted = uris.filter((uri) => {
      if (journal.refuse(subscribe(uri), none) !== undefined) return false;
      journal.record(subscribe(uri));
      return true;
    });
    // Its method and what separates them count too.
    expect(accepted).toHaveLength(10);
    for (const uri of accepted) journal.record(unsubscribe(uri));
    expect(journal.refuse(subscribe(uris[19] ?? ""), none)).toBeUndefined();
  });

  test("reads no entry to count, and asks for the whole once", () => {
    const counted = countedStore();
    const journal = journalOf(counted);
    const statements = counted.during(() => {
      for (let n = 0; n < 500; n++) {
        if (journal.refuse(subscribe(`test://${n}`), none) === undefined)
          journal.record(subscribe(`test://${n}`));
      }
    });
    expect(statements.filter((sql) => /SELECT name|SELECT value/.test(sql))).toEqual([]);
    expect(statements.filter((sql) => sql.includes("count(*)"))).toHaveLength(1);
    expect(counted.store.entryTotal("sticky").count).toBe(500);
  });
});

describe("session.state", () => {
  const stateOf = ({ store }: CountedStore, maxBytes = MEGABYTE): KeptState =>
    createState(store, maxBytes, () => false);

  test("has a bound over all values, and what goes makes room", () => {
    const counted = countedStore();
    const state = stateOf(counted, 100);
    state.set("a", "x".repeat(50));
    expect(() => state.set("b", "x".repeat(50))).toThrow(
      new RangeError("state b: 106 bytes exceed maxStateBytes (100)"),
    );
    expect(() => stateOf(counted, 100).set("b", "é".repeat(25))).toThrow(RangeError);
    expect(state.keys()).toEqual(["a"]);
    state.set("a", "x".repeat(20));
    state.set("b", "x".repeat(50));
    expect(state.delete("b")).toBe(true);
    expect(state.delete("b")).toBe(false);
    state.set("c", "x".repeat(70));
    expect(state.keys()).toEqual(["a", "c"]);
  });

  test("refuses a value that one row cannot hold, with a sentence that says so", () => {
    const state = stateOf(countedStore(), 64 * MEGABYTE);
    expect(() => state.set("large", "x".repeat(2_100_000))).toThrow(
      new RangeError(
        "state large: 2100007 bytes exceed what one value may have (1900000, its name included)",
      ),
    );
    state.set("large", "x".repeat(1_800_000));
    state.set("another", "x".repeat(1_800_000));
    expect(state.keys()).toEqual(["another", "large"]);
  });

  test("refuses a name that storage would not give back as it came", () => {
    const state = stateOf(countedStore());
    for (const name of ["a\ud800", 5, undefined] as string[]) {
      expect(() => state.set(name, 1)).toThrow(/without half surrogates/);
      expect(() => state.get(name)).toThrow(TypeError);
      expect(() => state.delete(name)).toThrow(TypeError);
    }
    expect(state.keys()).toEqual([]);
  });

  test("reads no value to count, and asks for the whole once", () => {
    const counted = countedStore();
    const state = stateOf(counted);
    const statements = counted.during(() => {
      for (let n = 0; n < 100; n++) state.set(`name ${n % 10}`, n);
    });
    expect(statements.filter((sql) => /SELECT (name|value)/.test(sql))).toEqual([]);
    expect(statements.filter((sql) => sql.includes("count(*)"))).toHaveLength(1);
    expect(counted.store.entryTotal("state").bytes).toBe(10 * ("name 0".length + 2));
  });
});
