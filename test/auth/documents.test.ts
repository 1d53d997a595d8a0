/** The issuer's documents: however many ask for one at once, its issuer is asked once. */
import { describe, expect, test } from "vitest";
import { createDocument, type Document } from "../../src/auth/documents.ts";

const MANY = 200;

/** A document whose loads are settled by the test, in order. */
function held(): {
  document: Document<string>;
  loads: PromiseWithResolvers<string>[];
  clock: { now: number };
} {
  const loads: PromiseWithResolvers<string>[] = [];
  const clock = { now: 1_000_000 };
  const load = (): Promise<string> => {
    const one = Promise.withResolvers<string>();
    loads.push(one);
    return one.promise;
  };
  return { document: createDocument(load, () => clock.now), loads, clock };
}

const ask = (one: () => Promise<string>): Promise<string>[] => Array.from({ length: MANY }, one);

describe("a fetch that is under way", () => {
  test("is the only one while nothing is held", async () => {
    const { document, loads } = held();
    const asked = [...ask(document.current), ...ask(document.renewed)];
    expect(loads).toHaveLength(1);
    loads[0]?.resolve("first");
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["first"]));
    expect(loads).toHaveLength(1);
  });

  test("is the only one for those who miss something in what is held", async () => {
    const { document, loads, clock } = held();
    const first = document.current();
    loads[0]?.resolve("first");
    expect(await first).toBe("first");
    clock.now += 10_000;
    const asked = ask(document.renewed);
    expect(loads).toHaveLength(2);
    loads[1]?.resolve("second");
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["second"]));
    expect(loads).toHaveLength(2);
  });

  test("keeps nobody waiting who can go by what is held", async () => {
    const { document, loads, clock } = held();
    const first = document.current();
    loads[0]?.resolve("first");
    await first;
    clock.now += 600_000;
    const asker = document.current();
    expect(loads).toHaveLength(2);
    expect(new Set(await Promise.all(ask(document.current)))).toEqual(new Set(["first"]));
    loads[1]?.resolve("second");
    expect(await asker).toBe("second");
  });

  test("fails for all who wait for it", async () => {
    const { document, loads } = held();
    const asked = ask(document.current).map((one) => one.catch(String));
    loads[0]?.reject(new Error("away"));
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["Error: away"]));
    expect(loads).toHaveLength(1);
  });

  test("is given up for dead after a while, by one of those who wait", async () => {
    const { document, loads, clock } = held();
    void document.current();
    const asked = ask(document.current);
    clock.now += 5000;
    await expect.poll(() => loads.length).toBe(2);
    loads[1]?.resolve("second");
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["second"]));
    expect(loads).toHaveLength(2);
  });
});
