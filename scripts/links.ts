/**
 * `npm run links`: brings into line what follows from `repository` and `version` of package.json: `homepage`, `bugs`,
 * the version of deno.json, and the README's links, which are absolute because npm and JSR show it too.
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { pageOf } from "../site/repository.ts";

/** The files, as they should be. */
export interface Linked {
  readonly manifest: string;
  readonly deno: string;
  readonly readme: string;
}

/** What the files of this repository should be, by its package.json. */
export function linked({ manifest, deno, readme }: Linked): Linked {
  const { repository, version } = JSON.parse(manifest) as { repository: { url: string }; version: string };
  const page = pageOf(repository.url);
  const blob = `${page}/blob/main/`;
  return {
    manifest: manifest
      .replace(/("homepage": )"[^"]*"/, `$1"${page}#readme"`)
      .replace(/("bugs": )"[^"]*"/, `$1"${page}/issues"`),
    deno: deno.replace(/("version": )"[^"]*"/, `$1"${version}"`),
    // A link within the repository, relative or under its last address.
    readme: readme.replace(
      /\]\((?:https:\/\/[^\s)]*\/blob\/main\/|(?:\.\/)?(?=[\w.]))(?!https?:)([^\s)]+)\)/g,
      (_, path: string) => `](${blob}${path})`,
    ),
  };
}

const FILES = { manifest: "package.json", deno: "deno.json", readme: "README.md" } as const;

/** The files as they are. */
export function current(): Linked {
  const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
  return { manifest: read(FILES.manifest), deno: read(FILES.deno), readme: read(FILES.readme) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = linked(current());
  for (const [key, name] of Object.entries(FILES)) {
    writeFileSync(new URL(`../${name}`, import.meta.url), files[key as keyof Linked]);
  }
}
