/**
 * The pages of the site, in their order. `docs/index.md` says it, in its lists, which GitHub shows as they are; what a
 * list of another README says stands in its place, below it.
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";

const DOCS = new URL("../docs/", import.meta.url);

/** One page of the site. */
export interface Page {
  /** Within `docs/`, such as `guides/testing.md`. */
  readonly file: string;
  readonly title: string;
  /** What the list says of it. */
  readonly about: string;
  /** The pages that its own list names. */
  readonly pages: readonly Page[];
}

/** A heading of `docs/index.md`, and what is listed under it. */
export interface Section {
  readonly title: string;
  readonly pages: readonly Page[];
}

/** A page's text. */
export const readPage = (file: string): string => readFileSync(new URL(file, DOCS), "utf8");

/** `- [Title](file.md): about`, or the same with a number. */
const ITEM = /^(?:-|\d+\.) \[([^\]]+)\]\(([\w./-]+\.md)\): (.+)$/gm;

function listed(text: string, folder: string): Page[] {
  return [...text.matchAll(ITEM)].map(([, title = "", link = "", about = ""]) => {
    const file = posix.join(folder, link);
    const isList = posix.basename(file) === "README.md";
    return { file, title, about, pages: isList ? listed(readPage(file), posix.dirname(file)) : [] };
  });
}

/** The site's contents, as `docs/index.md` has them. */
export function sections(): Section[] {
  const [, ...parts] = readPage("index.md").split(/^## /m);
  return parts.map((part) => ({ title: part.split("\n", 1)[0] ?? "", pages: listed(part, "") }));
}

/** All pages of some, each before those that it lists. */
export const flat = (pages: readonly Page[]): Page[] => pages.flatMap((page) => [page, ...flat(page.pages)]);

/** Every Markdown file below `docs/` that is written by hand. */
export const written = (): string[] =>
  readdirSync(DOCS, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".md") && !file.startsWith("api/"))
    .toSorted();

/** The page's address, without its ending: `guides/README.md` is `guides/`, `options.md` is `options`. */
export const route = (file: string): string => file.replace(/(?:^|(?<=\/))(?:index|README)\.md$|\.md$/, "");

/** The fragment of a heading, as GitHub makes it; what comes twice gets a number behind it. */
export const slug = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
    .replaceAll(" ", "-");
