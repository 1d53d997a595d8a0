import { describe, expect, it } from "vitest";
import { createBudget, createKeyedBudget } from "../../src/budget.ts";

describe("a budget", () => {
  it("gives what it has, to the last, and nothing beyond", () => {
    const budget = createBudget(10);
    expect([budget.take(6), budget.take(5), budget.take(4), budget.take(1)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(budget.used).toBe(10);
  });

  it("has again what is given back, and never more than all", () => {
    const budget = createBudget(10);
    budget.take(10);
    budget.give(4);
    expect([budget.take(5), budget.take(4)]).toEqual([false, true]);
    budget.give(100);
    expect(budget.used).toBe(0);
    expect([budget.take(11), budget.take(10)]).toEqual([false, true]);
  });

  it("without a limit refuses nothing", () => {
    expect(createBudget(Infinity).take(Number.MAX_SAFE_INTEGER)).toBe(true);
  });
});

describe("a budget by key", () => {
  it("takes from each key what that key has", () => {
    const budget = createKeyedBudget(2);
    expect([budget.take("a", 2), budget.take("a", 1), budget.take("b", 2)]).toEqual([true, false, true]);
    budget.give("a", 1);
    expect([budget.take("a", 1), budget.take("b", 1)]).toEqual([true, false]);
  });

  it("has all of a key again once nothing is taken, however much is given back", () => {
    const budget = createKeyedBudget(2);
    budget.take("a", 2);
    budget.give("a", 9);
    expect([budget.take("a", 3), budget.take("a", 2)]).toEqual([false, true]);
  });
});
