/**
 * The test servers as they are started here: made once at the start of a run (`warm.ts`), not by each file or at each start.
 *
 * - Node's programs in a few files: to find, strip and link 300 modules is half the processor time of a start, and tests
 *   start hundreds. What only some tests ask for (other SDKs, OpenTelemetry's) is in files of its own. Deno and Bun run
 *   the sources, and so does Node where a test is about the program (`local/program`), where there are two versions
 *   (`deploys`), and outside vitest.
 * - The test Worker in one file, as workerd wants it (`workerd.ts`): half a second of bundling for each file that starts one.
 * @module
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { build } from "esbuild";
import { makeBundle } from "./worker-bundle.ts";

/**
 * The folder of what was made of this tree in this run; told to the processes of the tests by the environment. No
 * `HOLDFAST_…`: of such a name that is no setting, servers warn.
 */
const FOLDER = "TEST_SERVERS_BUILT";
const ROOT = new URL("../..", import.meta.url).pathname;

/** What is made of this source is called so. */
const nameOf = (entry: string): string => relative(ROOT, entry).replace(/\.ts$/, "").replaceAll("/", "-");

/** What to run for this source: itself, where none was made of it. */
export function built(entry: string): string {
  const folder = process.env[FOLDER];
  const made = join(folder ?? "", `${nameOf(entry)}.mjs`);
  return folder !== undefined && existsSync(made) ? made : entry;
}

/** Makes them anew, programs for Node and a Worker, for every process that is started from now on. */
export async function buildServers(
  folder: string,
  { programs, worker }: { readonly programs: readonly string[]; readonly worker: string },
): Promise<void> {
  const bundled = makeBundle(worker);
  const { outputFiles } = await build({
    entryPoints: Object.fromEntries(programs.map((entry) => [nameOf(entry), entry])),
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    keepNames: true,
    // Of packages that are CommonJS.
    banner: {
      js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);',
    },
    write: false,
    logLevel: "silent",
  });
  const made = new Map<string, string | Uint8Array>(
    outputFiles.map(({ path, contents }) => [basename(path), contents]),
  );
  made.set(`${nameOf(worker)}.mjs`, await bundled);
  mkdirSync(folder, { recursive: true });
  for (const [name, contents] of made) {
    // Another run of the same tree may be reading it.
    const unfinished = join(folder, `${name}.${process.pid}`);
    writeFileSync(unfinished, contents);
    renameSync(unfinished, join(folder, name));
  }
  // Of earlier runs; one that is not there any more is another's doing.
  for (const name of readdirSync(folder)) {
    if (name.endsWith(".mjs") && !made.has(name)) rmSync(join(folder, name), { force: true });
  }
  process.env[FOLDER] = folder;
}
