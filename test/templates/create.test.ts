/** `npm create holdfast`, from its packed tarball. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { NODE } from "../support/node.ts";
import { run } from "../support/process.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let root: string;
const create = (...args: string[]): ReturnType<typeof run> =>
  run([...NODE, join(root, "package/bin.js"), ...args], { cwd: root });

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "holdfast-create-"));
  const packed = await run(["npm", "pack", "--pack-destination", root], {
    cwd: join(ROOT, "create-holdfast"),
  });
  expect(packed.code).toBe(0);
  const tarball = readdirSync(root).find((name) => name.endsWith(".tgz")) ?? "";
  expect((await run(["tar", "-xzf", tarball], { cwd: root })).code).toBe(0);
  mkdirSync(join(root, "package/node_modules"));
  symlinkSync(join(ROOT, "node_modules/@clack"), join(root, "package/node_modules/@clack"));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
  rmSync(join(ROOT, "create-holdfast/templates"), { recursive: true, force: true });
});

const filesOf = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .toSorted();

const templates = readdirSync(join(ROOT, "templates"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

const START: Record<string, string> = {
  "node-cluster": "npm run dev",
  "embed-hono": "API_KEY=secret npm start",
};

test.each(templates)("makes the whole of %s, under the folder's name", async (template) => {
  const { code, stdout } = await create(`My ${template}`, "--template", template);
  const start = START[template] ?? "npm start";
  expect(stdout).toContain(`Next: cd "My ${template}" && npm install && npm test && ${start}\n`);
  expect(code).toBe(0);
  const source = join(ROOT, "templates", template);
  const made = join(root, `My ${template}`);
  const expected = filesOf(source).map((file) => (file === "gitignore" ? ".gitignore" : file));
  expect(filesOf(made)).toEqual(expected.toSorted());
  const { name } = JSON.parse(readFileSync(join(source, "package.json"), "utf8")) as { name: string };
  const named: string[] = [];
  for (const file of expected) {
    const text = readFileSync(join(source, file.replace(/^\.gitignore$/, "gitignore")), "utf8");
    const wanted = text.replaceAll(`"${name}"`, `"my-${template}"`);
    if (wanted !== text) named.push(file);
    expect(readFileSync(join(made, file), "utf8"), file).toBe(wanted);
  }
  expect(named).toEqual(expect.arrayContaining(["package.json", "src/server.ts"]));
});

test("the lines that the documentation shows are its own", async () => {
  const pages = ["README.md", "create-holdfast/README.md"].map((page) =>
    readFileSync(join(ROOT, page), "utf8"),
  );
  const lines = pages.flatMap((page) => [...page.matchAll(/^npm create holdfast (\S+) -- (.+)$/gm)]);
  expect(lines.length).toBe(pages.length);
  for (const [index, [, folder = "", options = ""]] of lines.entries()) {
    const { code, stdout } = await create(`${folder}-${index}`, ...options.split(" "));
    expect(stdout).toContain("npm install && npm test");
    expect(code).toBe(0);
  }
  const named = pages.map((page) => templates.filter((template) => page.includes(`\`${template}\``)));
  expect(named).toEqual([templates, templates]);
  const button = /\?url=https:\/\/github\.com\/[^/]+\/[^/]+\/tree\/main\/(\S+)\)/.exec(pages[0] ?? "")?.[1];
  expect(filesOf(join(ROOT, button ?? ""))).toContain("wrangler.jsonc");
});

describe("refuses, and makes nothing,", () => {
  test("what is no template", async () => {
    const { code, stdout } = await create("other", "--template", "../node");
    expect(code).toBe(1);
    expect(stdout).toContain(
      "There is no template ../node: worker, worker-auth, node, node-cluster, embed-hono.",
    );
    expect(readdirSync(root)).not.toContain("other");
  });

  test("a folder that has something in it", async () => {
    mkdirSync(join(root, "full"));
    writeFileSync(join(root, "full/mine.txt"), "mine");
    const { code, stdout } = await create("full", "--template", "node");
    expect(code).toBe(1);
    expect(stdout).toContain("full is not empty.");
    expect(readdirSync(join(root, "full"))).toEqual(["mine.txt"]);
  });

  test("to ask where nobody can answer", async () => {
    const { code, stdout } = await create("half");
    expect(code).toBe(1);
    expect(stdout).toContain("Say all of it");
  });

  test("options that there are not", async () => {
    expect((await create("half", "--tempalte", "node")).code).toBe(1);
    expect(readdirSync(root)).not.toContain("half");
  });
});
