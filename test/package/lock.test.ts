/** What an install takes: nothing that is not known by its hash, on any platform. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface Entry {
  readonly integrity?: string;
  readonly link?: boolean;
  /** Comes within another package, which is hashed. */
  readonly inBundle?: boolean;
}

test.each([
  ["package-lock.json", 300],
  ["site/package-lock.json", 100],
])("each package in %s has a SHA-512, those for other platforms too", (name, least) => {
  const file = readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
  const { packages } = JSON.parse(file) as { packages: Record<string, Entry> };
  const installed = Object.entries(packages).filter(
    ([path, { link, inBundle }]) => path !== "" && link !== true && inBundle !== true,
  );
  expect(installed.length).toBeGreaterThan(least);
  const unknown = installed.filter(
    ([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ""),
  );
  expect(unknown.map(([path]) => path)).toEqual([]);
});
