/**
 * `npm run links`: brings into line what follows from `repository` and `version` of package.json: `homepage`, `bugs`,
 * the version of deno.json, and the README's links, which are absolute because npm and JSR show it too; likewise of
 * `create-holdfast`, and of the templates, which are on nobody's disk but their users'.
 * @module
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { pageOf } from "../site/repository.ts";

/** The files, as they should be. */
export interface Linked {
  readonly manifest: string;
  readonly deno: string;
  readonly readme: string;
  /** Of create-holdfast and the templates: whatever names the repository or the version, by its path. */
  readonly apart: Readonly<Record<string, string>>;
}

/** What the files of this repository should be, by its package.json. */
export function linked({ manifest, deno, readme, apart }: Linked): Linked {
  const { repository, version } = JSON.parse(manifest) as { repository: { url: string }; version: string };
  const page = pageOf(repository.url);
  const blob = `${page}/blob/main/`;
  const addressed = (text: string): string =>
    text
      .replace(/("homepage": )"[^"]*"/, `$1"${page}#readme"`)
      .replace(/("bugs": )"[^"]*"/, `$1"${page}/issues"`);
  const apartOf = (path: string, text: string): string => {
    if (path === "create-holdfast/package.json") {
      return addressed(text)
        .replace(/("version": )"[^"]*"/, `$1"${version}"`)
        .replace(/("url": )"[^"]*"/, `$1"${repository.url}"`);
    }
    return text
      .replaceAll(/https:\/\/[^\s)"]*(?=\/(?:blob|tree)\/main\/)/g, page)
      .replace(/("holdfast": )"[^"]*"/, `$1"^${version}"`);
  };
  return {
    manifest: addressed(manifest),
    deno: deno.replace(/("version": )"[^"]*"/, `$1"${version}"`),
    // A link within the repository, relative or under its last address.
    readme: readme
      .replaceAll(/https:\/\/[^\s)=]*(?=\/tree\/main\/)/g, page)
      .replace(
        /\]\((?:https:\/\/[^\s)]*\/blob\/main\/|(?:\.\/)?(?=[\w.]))(?!https?:)([^\s)]+)\)/g,
        (_, path: string) => `](${blob}${path})`,
      ),
    apart: Object.fromEntries(Object.entries(apart).map(([path, text]) => [path, apartOf(path, text)])),
  };
}

const FILES = { manifest: "package.json", deno: "deno.json", readme: "README.md" } as const;

/** The files as they are. */
export function current(): Linked {
  const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
  const templates = readdirSync(new URL("../templates", import.meta.url), {
    recursive: true,
    withFileTypes: true,
  }).flatMap((entry) => {
    const path = `${entry.parentPath}/${entry.name}`
      .replaceAll("\\", "/")
      .replace(/^.*\/(?=templates\/)/, "");
    return entry.isFile() && !/\/(?:node_modules|\.wrangler)\//.test(path) ? [path] : [];
  });
  const apart = ["create-holdfast/package.json", "create-holdfast/README.md", ...templates.toSorted()];
  return {
    manifest: read(FILES.manifest),
    deno: read(FILES.deno),
    readme: read(FILES.readme),
    apart: Object.fromEntries(apart.map((path) => [path, read(path)])),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { apart, ...files } = linked(current());
  const write = (path: string, text: string): void =>
    writeFileSync(new URL(`../${path}`, import.meta.url), text);
  for (const [key, name] of Object.entries(FILES)) write(name, files[key as keyof typeof FILES]);
  for (const [path, text] of Object.entries(apart)) write(path, text);
}
