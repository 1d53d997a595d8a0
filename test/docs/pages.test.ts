/** The pages of the site, by what they say themselves: each is listed, each link leads somewhere. Built they are by `npm run docs`. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { entries } from "../../site/entries.ts";
import { llms, llmsFull, markdown, standalone } from "../../site/llms.ts";
import { flat, readPage, route, sections, slug, written } from "../../site/pages.ts";
import { outward, repository, site } from "../../site/repository.ts";

const ROOT = new URL("../../", import.meta.url);
const pages = sections().flatMap((section) => flat(section.pages));

/** Every Markdown file that people read on GitHub. */
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  cwd: ROOT,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "" && existsSync(new URL(file, ROOT)));

/** A file's text without its code. */
const prose = (file: string): string =>
  readFileSync(new URL(file, ROOT), "utf8")
    .replaceAll(/^ *```[^]*?^ *```/gm, "")
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()]/g, ""));

/** What a link into this file may name behind its `#`. */
function fragments(file: string): Set<string> {
  const text = prose(file);
  const seen = new Map<string, number>();
  const headings = Array.from(text.matchAll(/^#{1,6} (.+)$/gm), ([, heading = ""]) => {
    const base = slug(heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/[`*]/g, ""));
    const times = seen.get(base) ?? 0;
    seen.set(base, times + 1);
    return times === 0 ? base : `${base}-${times}`;
  });
  const anchors = Array.from(text.matchAll(/<a id="([^"]+)"><\/a>/g), ([, id = ""]) => id);
  return new Set([...headings, ...anchors]);
}

/** Links within the repository that lead nowhere, absolute ones too. */
function broken(file: string): string[] {
  const links = Array.from(prose(file).matchAll(/\]\(([^()\s]+)\)/g), ([, link = ""]) => link);
  return links.filter((link) => {
    const own = /^https:\/\/github\.com\/[\w-]+\/[\w-]+\/(?:blob|tree)\/main\/(.*)$/;
    const [, within] = (link.startsWith(repository) && own.exec(link)) || [];
    if (within === undefined && /^[a-z]+:/i.test(link)) return false;
    const [path = "", fragment] = (within ?? link).split("#");
    const target = within === undefined ? posix.join(posix.dirname(file), path) : path;
    const there = path === "" ? file : target;
    if (!existsSync(new URL(there, ROOT))) return true;
    return fragment !== undefined && !(there.endsWith(".md") && fragments(there).has(fragment));
  });
}

describe("docs/", () => {
  it("lists each page once, in docs/index.md or in a list that it names", () => {
    expect(pages.length).toBeGreaterThan(30);
    expect(["index.md", ...pages.map(({ file }) => file)].toSorted()).toEqual(written());
  });

  it("calls each page what it calls itself", () => {
    expect(pages.map(({ title }) => title)).toEqual(
      pages.map(({ file }) => /^# (.+)$/m.exec(readPage(file))?.[1]),
    );
  });

  it("says in each diagram what it shows", () => {
    const diagrams = written().flatMap((file) => readPage(file).match(/^```mermaid\n[^]*?^```/gm) ?? []);
    expect(diagrams.length).toBeGreaterThan(2);
    for (const diagram of diagrams) expect(diagram).toMatch(/^ +accTitle: \S/m);
  });
});

describe("links", () => {
  it("are found in every Markdown file", () => expect(files.length).toBeGreaterThan(45));

  it.each(files)("of %s lead to a file, and to a heading of it", (file) => {
    expect(broken(file)).toEqual([]);
  });

  it("have the fragments that GitHub makes", () => {
    expect(slug("A call, from router to store")).toBe("a-call-from-router-to-store");
    expect(slug("`src/`: the router, the types")).toBe("src-the-router-the-types");
    expect(slug("What Holdfast's hub_object does – twice")).toBe("what-holdfasts-hub_object-does--twice");
  });

  it("out of docs/ lead into the repository on the site, others stay", () => {
    expect(outward("guides/testing.md", "../../templates/README.md")).toBe(
      `${repository}/blob/main/templates/README.md`,
    );
    expect(outward("tasks.md", "../examples/tasks")).toBe(`${repository}/tree/main/examples/tasks`);
    expect(outward("embedding.md", "../README.md#your-server")).toBe(
      `${repository}/blob/main/README.md#your-server`,
    );
    expect(outward("guides/testing.md", "../options.md#hosts")).toBe(undefined);
    expect(outward("options.md", "#hosts")).toBe(undefined);
    expect(outward("options.md", "https://example.com/../x")).toBe(undefined);
  });
});

describe("llms.txt", () => {
  const addresses = (text: string): string[] =>
    Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, address = ""]) => address);

  it("lists every page and every entry once, by the address of its Markdown", () => {
    const text = llms(entries);
    expect(text).toMatch(/^# Holdfast\n\n> \S/);
    const listed = addresses(text).map((address) => address.replace(site, ""));
    const expected = [...pages.map(({ file }) => markdown(file)), ...entries.map(({ file }) => file)];
    expect(listed.toSorted()).toEqual(expected.toSorted());
    expect(markdown("guides/README.md")).toBe("guides/index.md");
    expect(route("guides/README.md")).toBe("guides/");
  });

  it("comes with all pages in one, whose links lead out of it", () => {
    const text = `\n${llmsFull()}`;
    for (const { title } of pages) expect(text).toContain(`\n# ${title}\n`);
    const prosaic = text.replaceAll(/^```[^]*?^```|`[^`\n]*`/gm, "");
    expect(addresses(prosaic).length).toBeGreaterThan(150);
    expect(addresses(prosaic).filter((address) => !/^https?:/.test(address))).toEqual([]);
    const there = new Set(
      ["index.md", ...pages.map(({ file }) => file)].map((file) => site + markdown(file)),
    );
    const ours = addresses(prosaic).filter((address) => address.startsWith(site));
    expect(ours.filter((address) => !there.has(address.split("#")[0] ?? ""))).toEqual([]);
    expect(standalone("errors.md")).toContain(`](${site}eras.md#clients-as-they-are)`);
    expect(standalone("guides/testing.md")).toContain('(session?.state.get<number>("count") ?? 0)');
  });
});

describe("the API reference", () => {
  it("has a page for each entry, made of a source that is there", () => {
    expect(entries.length).toBeGreaterThan(15);
    for (const { source } of entries) expect(existsSync(new URL(source, ROOT)), source).toBe(true);
    for (const { file } of entries) expect(file).toMatch(/^api\/[\w-]+\.md$/);
    expect(new Set(entries.map(({ file }) => file)).size).toBe(entries.length);
  });

  it("is made, not kept", () => {
    expect(readdirSync(new URL("docs", ROOT))).toContain("index.md");
    expect(files.filter((file) => file.startsWith("docs/api/"))).toEqual([]);
  });
});
