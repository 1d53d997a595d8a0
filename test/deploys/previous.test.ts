import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PREVIOUS, previousSource } from "./versions.ts";

test("the previous version is a commit by its whole name, and is taken out of git", () => {
  expect(PREVIOUS).toMatch(/^[0-9a-f]{40}$/);
  expect(existsSync(join(previousSource(), "worker/cloudflare.ts"))).toBe(true);
});

test("a clone that does not have the commit is told what to fetch", () => {
  const missing = "0123456789abcdef0123456789abcdef01234567";
  expect(() => previousSource(missing)).toThrow(`git fetch --depth=1 origin ${missing}`);
});
