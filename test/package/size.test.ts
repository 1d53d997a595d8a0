/** What each entry may weigh: `bench/budget.json`, in bytes of minified gzip. A larger budget is a decision. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ENTRIES, sizeOf } from "../../bench/lib/sizes.ts";

const budgets = JSON.parse(
  readFileSync(new URL("../../bench/budget.json", import.meta.url), "utf8"),
) as Record<string, number>;

test("each entry has a budget, and each budget an entry", () => {
  expect(Object.keys(budgets)).toEqual(ENTRIES.map(({ name }) => name));
});

describe("within its budget, minified and compressed:", () => {
  test.each(ENTRIES.map((entry) => [entry.name, entry] as const))("%s", async (name, entry) => {
    const { gzip, largest } = await sizeOf(entry);
    const parts = largest.map(([path, bytes]) => `${bytes} ${path}`).join("\n");
    expect(gzip, `its largest parts:\n${parts}`).toBeLessThanOrEqual(budgets[name] ?? 0);
  });
});
