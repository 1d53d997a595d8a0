/**
 * The test servers as Node runs them here: in a few files, made once at the start of a run (`warm.ts`). To find, strip
 * and link 300 modules is half the processor time of a start, and tests start hundreds. What only some tests ask for (other
 * SDKs, OpenTelemetry's) is in files of its own. Deno and Bun run the sources, and so does Node where a test is
 * about the program (`local/program`), where there are two versions (`deploys`), and outside vitest.
 * @module
 */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

/**
 * The folder of what was made of this tree in this run; told to the processes of the tests by the environment. No
 * `HOLDFAST_…`: of such a name that is no setting, servers warn.
 */
const FOLDER = "TEST_SERVERS_BUILT";

/** What to run for this program: itself, where none was made of it. */
export function built(entry: string): string {
  const folder = process.env[FOLDER];
  return folder === undefined ? entry : join(folder, `${basename(entry, ".ts")}.mjs`);
}

/** Makes them anew, for every process that is started from now on. */
export async function buildPrograms(entries: readonly string[], folder: string): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: [...entries],
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
  mkdirSync(folder, { recursive: true });
  // What the new ones have no use for. One that is not there any more is another run's doing.
  const names = outputFiles.map(({ path }) => basename(path));
  for (const name of readdirSync(folder)) {
    if (name.endsWith(".mjs") && !names.includes(name)) rmSync(join(folder, name), { force: true });
  }
  for (const { path, contents } of outputFiles) {
    // Another run of the same tree may be reading it.
    const unfinished = `${path}.${process.pid}`;
    writeFileSync(unfinished, contents);
    renameSync(unfinished, path);
  }
  process.env[FOLDER] = folder;
}
