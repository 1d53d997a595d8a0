/**
 * Where the project lives, by the one place that says it: `repository` of package.json.
 * @module
 */
import { readFileSync, statSync } from "node:fs";
import { posix } from "node:path";

const ROOT = new URL("../", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8")) as {
  description: string;
  repository: { url: string };
};

/** The repository's page, by the address that git goes to. */
export const pageOf = (url: string): string => url.replace(/^git\+/, "").replace(/\.git$/, "");

/** The project in a sentence. */
export const { description } = manifest;
/** The repository's page. */
export const repository: string = pageOf(manifest.repository.url);

const [, owner = "", name = ""] = new URL(repository).pathname.split("/");
/** The site's path on GitHub Pages. */
export const base: string = `/${name}/`;
/** The site's address there. */
export const site: string = `https://${owner.toLowerCase()}.github.io${base}`;

/** The address of a file or folder of the repository, given by its path from the root, for a link out of `docs/`. */
export function addressOf(path: string): string {
  const kind = statSync(new URL(path, ROOT)).isDirectory() ? "tree" : "blob";
  return `${repository}/${kind}/main/${path}`;
}

/** A link of a page of `docs/` that leads out of that folder, as an address; `undefined` for all others. */
export function outward(file: string, link: string): string | undefined {
  if (/^[a-z]+:|^[#/]/i.test(link)) return undefined;
  const [path = "", fragment] = link.split("#");
  const target = posix.join("docs", posix.dirname(file), path);
  if (target === "docs" || target.startsWith("docs/")) return undefined;
  return addressOf(target.replace(/\/$/, "")) + (fragment === undefined ? "" : `#${fragment}`);
}
