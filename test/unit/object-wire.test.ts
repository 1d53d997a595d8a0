/** What objects, and the edge, say to an object besides calls, attaches and ends: read where it fits, and else refused. */
import { describe, expect, it } from "vitest";
import { Unreadable } from "../../src/wire/version.ts";
import * as hub from "../../worker/hub-wire.ts";
import * as indexWire from "../../worker/wire-index.ts";
import * as wire from "../../worker/wire.ts";
import { altered } from "../support/altered.ts";

const id = "0a".repeat(32);
const asPost = (body: string): Request => new Request("https://session/note", { method: "POST", body });

describe("what is said of a principal's sessions", () => {
  it("is read: an id, ids, a principal or none", async () => {
    expect(await indexWire.decodeId(asPost(id))).toBe(id);
    expect(await indexWire.decodeIds(Response.json([id]))).toEqual([id]);
    expect(await wire.decodePrincipal(asPost("ann é 😀"))).toBe("ann é 😀");
    expect(await wire.decodePrincipal(asPost(""))).toBeUndefined();
  });

  it.each(["", "x", `${id}0`, id.toUpperCase(), JSON.stringify(id)])(
    "is not read: the id %j",
    async (text) => {
      await expect(indexWire.decodeId(asPost(text))).rejects.toThrow(Unreadable);
    },
  );

  it.each(["", "{}", "null", "[7]", '["x"]'])("is not read: the ids %s", async (text) => {
    await expect(indexWire.decodeIds(new Response(text))).rejects.toThrow(Unreadable);
  });
});

describe("notes, entries, pages, places, seeds, what is asked of a user's state, and how far a client came", () => {
  const place = { name: id, principal: "ann" };
  const noted = { id, principal: "ann", transport: "streamable", version: "2025-11-25", created: 1 };
  const note = JSON.stringify({ place, noted });
  const entry = JSON.stringify({ place, isHeld: true });
  const page = JSON.stringify({ of: "session", after: id, limit: 50, listedAs: id });
  const left = JSON.stringify({ stream: 7, connectionId: "c", seq: 3 });
  const put = JSON.stringify({ op: "put", name: "a", value: "1", ifVersion: 2 });
  const readers: Readonly<Record<string, (text: string) => unknown>> = {
    note: (text) => indexWire.decodeNote(asPost(text)),
    entry: (text) => indexWire.decodeEntry(asPost(text)),
    page: (text) => indexWire.decodePageRequest(asPost(text)),
    left: (text) => wire.decodeLeft(asPost(text)),
    seed: (text) => wire.decodeSeed(asPost(text)),
    user: async (text) => wire.decodeUserRequest(text),
  };
  const seed = JSON.stringify({ principal: null, version: "2025-11-25", initialize: "{}" });
  const texts: Readonly<Record<string, string>> = { note, entry, page, left, seed, user: put };

  it.each(Object.keys(readers))("are read: %s", async (what) => {
    expect(await readers[what]?.(texts[what] ?? "")).toEqual(JSON.parse(texts[what] ?? ""));
  });

  it.each<[string, string, unknown]>([
    ["note", "place", undefined],
    ["note", "place.name", "x"],
    ["note", "place.principal", 7],
    ["note", "noted.id", "x"],
    ["note", "noted.principal", 7],
    ["note", "noted.transport", "carrier pigeon"],
    ["note", "noted.version", undefined],
    ["note", "noted.created", "1"],
    ["note", "noted.client", {}],
    ["entry", "place.name", id.toUpperCase()],
    ["entry", "isHeld", 1],
    ["page", "of", "user"],
    ["page", "after", "x"],
    ["page", "from", 7],
    ["page", "listedAs", ""],
    ["page", "limit", 0],
    ["page", "limit", 1.5],
    ["left", "stream", "7"],
    ["left", "seq", 2 ** 60],
    ["left", "connectionId", undefined],
    ["seed", "principal", 7],
    ["seed", "version", undefined],
    ["seed", "initialize", {}],
    ["user", "op", "drop"],
    ["user", "name", 7],
    ["user", "value", { not: "text" }],
    ["user", "ifVersion", "2"],
  ])("are not read: %s with %s %j", async (what, path, value) => {
    await expect(async () => readers[what]?.(altered(texts[what] ?? "", path, value))).rejects.toThrow(
      Unreadable,
    );
  });

  it.each(Object.keys(readers))("are not read where they are no object: %s", async (what) => {
    for (const text of ["", "7", "null", "[]"])
      await expect(async () => readers[what]?.(text), text).rejects.toThrow(Unreadable);
  });

  it("are read as pages: what an earlier version noted counts, and says nothing", async () => {
    const sessions = Response.json([
      [id, noted],
      ["0b".repeat(32), null],
    ]);
    expect(await indexWire.decodeSessions(sessions)).toEqual({
      noted: [noted],
      count: 2,
      last: "0b".repeat(32),
    });
    expect(await indexWire.decodeSessions(Response.json([]))).toEqual({
      noted: [],
      count: 0,
      last: undefined,
    });
    expect(await indexWire.decodePlaces(Response.json([[id, place]]))).toEqual([place]);
  });

  it.each(["", "{}", "[7]", '[["x",null]]', "[[]]"])("are not read as pages: %s", async (text) => {
    await expect(indexWire.decodeSessions(new Response(text))).rejects.toThrow(Unreadable);
    await expect(indexWire.decodePlaces(new Response(text))).rejects.toThrow(Unreadable);
  });
});

describe("what sessions and the hub say to each other", () => {
  it("is read: changes, a publication, names, a frame", () => {
    const changes = [
      { kind: "resource_updated", uri: "a", params: { n: 1 } },
      { kind: "of_a_later_version" },
    ];
    expect(hub.decodeChanges(JSON.stringify(changes))).toEqual(changes);
    const publication = { id: "p", changes, again: false };
    expect(hub.decodePublication(JSON.stringify(publication))).toEqual(publication);
    const drop = ["b"];
    const watch = { session: "s", names: ["a"], drop };
    expect(hub.decodeWatch(JSON.stringify(watch))).toEqual(watch);
    // As version 0 sends it.
    expect(hub.decodeWatch('{"session":"s","names":["a"]}')).toEqual({ ...watch, drop: [] });
    expect(hub.decodeForget('{"session":"s"}')).toEqual({ session: "s" });
    expect(hub.decodeNames('["a"]')).toEqual(["a"]);
    expect(hub.decodeFrame(JSON.stringify({ seq: 7, changes }))).toEqual({ seq: 7, changes });
    expect([hub.decodeAfter(null), hub.decodeAfter("7")]).toEqual([undefined, 7]);
  });

  it.each<[string, () => unknown]>([
    ["changes that are no list", () => hub.decodeChanges("{}")],
    ["a change without a kind", () => hub.decodeChanges("[{}]")],
    ["an update of nothing", () => hub.decodeChanges('[{"kind":"resource_updated"}]')],
    ["a change with odd params", () => hub.decodeChanges('[{"kind":"tools_list_changed","params":1}]')],
    ["a publication without a name", () => hub.decodePublication('{"changes":[],"again":false}')],
    ["a publication without changes", () => hub.decodePublication('{"id":"p","again":false}')],
    ["a wish for odd names", () => hub.decodeWatch('{"session":"s","names":[1]}')],
    ["a wish of nobody", () => hub.decodeWatch('{"names":[]}')],
    ["a farewell of nobody", () => hub.decodeForget("{}")],
    ["names that are none", () => hub.decodeNames("[1]")],
    ["a frame of bytes", () => hub.decodeFrame(new ArrayBuffer(1))],
    ["a frame without a number", () => hub.decodeFrame('{"changes":[]}')],
    ["a frame that is not JSON", () => hub.decodeFrame("{")],
    ["a place that is no number", () => hub.decodeAfter("x")],
  ])("is not read: %s", (_, decode) => expect(decode).toThrow(Unreadable));
});
