/**
 * The package's entries, by `exports` of package.json: each is a page of the API reference.
 * @module
 */
import { readFileSync } from "node:fs";

/** One entry of the package. */
export interface Entry {
  /** As it is imported: `holdfast/auth`. */
  readonly name: string;
  /** Its source, from the root. */
  readonly source: string;
  /** Its page, within the site. */
  readonly file: string;
}

const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  exports: Record<string, { default: string } | string>;
};

/** In the order of package.json. */
export const entries: readonly Entry[] = Object.entries(exports).flatMap(([path, target]) => {
  if (typeof target === "string") return [];
  const name = `holdfast${path.slice(1)}`;
  const source = target.default.replace(/^\.\/dist\/(.*)\.js$/, "$1.ts");
  // In one folder: of `api/cloudflare` and `api/cloudflare/tracing` a server would take the first for the folder.
  const page = path === "." ? name : path.slice(2).replaceAll("/", "-");
  return [{ name, source, file: `api/${page}.md` }];
});
