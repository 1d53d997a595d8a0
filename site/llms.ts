/**
 * What the site says to programs that read: `llms.txt` (https://llmstxt.org), a list of its pages, and `llms-full.txt`,
 * all of them in one.
 * @module
 */
import { flat, readPage, route, sections } from "./pages.ts";
import { description, outward, site } from "./repository.ts";

/** The text of a page, which is fit to be read outside of its folder: links lead to where they lead. */
export function standalone(file: string): string {
  // Code is left as it is.
  return readPage(file).replaceAll(/^```[^]*?^```|`[^`\n]*`|\]\(([^()\s]+)\)/gm, (whole, link?: string) => {
    if (link === undefined) return whole;
    const out = outward(file, link);
    if (out !== undefined) return `](${out})`;
    if (/^[a-z]+:/i.test(link)) return whole;
    const { pathname, hash } = new URL(link, `docs://docs/${file}`);
    return `](${site}${markdown(pathname.slice(1))}${hash})`;
  });
}

/** Where the site has a page's Markdown: beside its HTML. */
export const markdown = (file: string): string =>
  route(file) === "" || route(file).endsWith("/") ? `${route(file)}index.md` : file;

const item = (title: string, address: string, about: string): string =>
  `- [${title}](${site}${address}): ${about}\n`;

/** @param api the pages of the API reference, by name and file */
export function llms(api: readonly { readonly name: string; readonly file: string }[]): string {
  const lists = sections().map(
    ({ title, pages }) =>
      `## ${title}\n\n${flat(pages)
        .map((page) => item(page.title, markdown(page.file), page.about))
        .join("")}`,
  );
  const reference = api.map(({ name, file }) => item(name, file, `all that \`${name}\` exports.`));
  return [
    `# Holdfast\n`,
    `> ${description}\n`,
    `All of the pages in one: ${site}llms-full.txt\n`,
    ...lists,
    `## API\n\n${reference.join("")}`,
  ].join("\n");
}

/** Every page that is written by hand, one after the other. */
export const llmsFull = (): string =>
  [
    "index.md",
    ...sections()
      .flatMap(({ pages }) => flat(pages))
      .map(({ file }) => file),
  ]
    .map((file) => `${standalone(file).trim()}\n`)
    .join("\n---\n\n");
