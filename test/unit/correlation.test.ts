/** Ids inside a session: the client's, which may come twice, and the server's, which no other isolate has used. */
import { describe, expect, test } from "vitest";
import { createInbound, createOutbound } from "../../src/session/server/correlation.ts";

describe("requests of the client", () => {
  test("that have one id are told apart by ours, and are taken each once", () => {
    const inbound = createInbound<string>();
    const [first, second, third] = ["a", "b", "c"].map((entry) => inbound.add(1, entry)) as [
      number,
      number,
      number,
    ];
    expect(new Set([first, second, third]).size).toBe(3);
    // The client means the one that it sent last.
    expect(inbound.find(1)).toBe(third);
    // From the middle, then from the end.
    expect(inbound.take(second)).toEqual({ id: second, original: 1, entry: "b" });
    expect(inbound.take(second)).toBeUndefined();
    expect([inbound.get(first), inbound.get(second), inbound.get(third)]).toEqual(["a", undefined, "c"]);
    expect(inbound.take(third)?.entry).toBe("c");
    expect(inbound.find(1)).toBe(first);
    expect(inbound.held().map(({ entry }) => entry)).toEqual(["a"]);
    expect(inbound.size()).toBe(1);
    inbound.clear();
    expect([inbound.size(), inbound.find(1)]).toEqual([0, undefined]);
  });

  test("a number is not the string that looks like it", () => {
    const inbound = createInbound<string>();
    const number = inbound.add(1, "number");
    const string = inbound.add("1", "string");
    expect([inbound.find(1), inbound.find("1")]).toEqual([number, string]);
  });

  test("none has the id 0 there, which SDK v1 cannot cancel, nor what a caller may hold on to", () => {
    const inbound = createInbound<string>();
    expect(inbound.add(0, "zero")).toBeGreaterThan(0);
    inbound.held().pop();
    expect(inbound.size()).toBe(1);
  });
});

describe("requests of the server", () => {
  test("get an id of this isolate's alone, and a progress token that is their id goes with it", () => {
    const outbound = createOutbound("p.");
    const params = { _meta: { progressToken: 7, more: 1 }, x: 1 };
    const renamed = outbound.rename(7, params);
    expect(renamed.id).toMatch(/^p\.[0-9a-f]{8}\.7$/);
    expect(renamed.params).toEqual({ _meta: { progressToken: renamed.id, more: 1 }, x: 1 });
    // The server's own are left as they were.
    expect(params._meta.progressToken).toBe(7);
    expect(outbound.restoreToken(renamed.id)).toBe(7);
    expect(createOutbound("p.").rename(7, undefined).id).not.toBe(renamed.id);
  });

  test("a progress token of its own choice stays", () => {
    const outbound = createOutbound("");
    const params = { _meta: { progressToken: "mine" } };
    expect(outbound.rename(7, params).params).toBe(params);
    expect(outbound.restoreToken("mine")).toBeUndefined();
    expect(outbound.restoreToken(7)).toBeUndefined();
  });

  test("are answered once, under the id that the server gave, number or string", () => {
    const outbound = createOutbound("");
    const number = outbound.rename(7, undefined).id;
    const string = outbound.rename("7", undefined).id;
    expect(number).not.toBe(string);
    const answer = (id: string | number) => ({ jsonrpc: "2.0", id, result: {} }) as const;
    expect(outbound.restore(answer(string))).toEqual(answer("7"));
    expect(outbound.restore(answer(number))).toEqual(answer(7));
    expect(outbound.restore(answer(number))).toBeUndefined();
    // The client knows no such id, whatever it looks like.
    expect(outbound.restore(answer(7))).toBeUndefined();
    expect(outbound.restoreToken(number)).toBeUndefined();
  });

  test("one that was given up is waited for by nobody", () => {
    const outbound = createOutbound("");
    const { id } = outbound.rename(7, undefined);
    expect(outbound.cancel(7)).toBe(id);
    expect(outbound.cancel(7)).toBeUndefined();
    expect(outbound.restore({ jsonrpc: "2.0", id, result: {} })).toBeUndefined();
  });
});
