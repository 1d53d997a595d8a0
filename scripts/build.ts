/**
 * `npm run build`: JavaScript, declarations and their maps in `dist/`, file by file, by the compiler
 * alone. Five passes, because the floors compile against the types of different platforms; what
 * they share comes out of each alike.
 *
 * The program `holdfast` is one file with all that it needs, the official SDK's client above all: `npx
 * holdfast` works in an empty directory, and who installs the library installs neither an SDK of 9 MB
 * (v2, beside their own v1 perhaps) nor an argument parser for a program that they may never run. The
 * price: a fix in one of these reaches the program with our next release only.
 * @module
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${root}/dist/src`, { recursive: true, force: true });
rmSync(`${root}/dist/worker`, { recursive: true, force: true });

for (const project of [
  "tsconfig.build.json",
  "src/local/tsconfig.build.json",
  "src/cluster/tsconfig.build.json",
  "src/testing/tsconfig.build.json",
  "worker/tsconfig.build.json",
]) {
  const { status, error } = spawnSync("tsc", ["-p", project], { cwd: root, stdio: "inherit" });
  if (error !== undefined) console.error(`tsc could not be started (${error.message}); run npm ci first`);
  if (status !== 0) process.exit(1);
}

/** Zod's complaints in English alone: those in all the other languages are a quarter of the program. */
const english: Plugin = {
  name: "english",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
    })),
};

const program = `${root}/dist/src/client/bin.js`;
const { metafile } = await build({
  entryPoints: [`${root}/src/client/bin.ts`],
  outfile: program,
  allowOverwrite: true,
  bundle: true,
  minify: true,
  keepNames: true,
  format: "esm",
  platform: "node",
  target: "node22",
  // CommonJS within asks for Node's own modules by `require`.
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
  legalComments: "none",
  plugins: [english],
  metafile: true,
  absWorkingDir: root,
});
rmSync(`${program}.map`, { force: true });

// Whose work is in it, as their licences want.
const folders = new Set(
  Object.keys(metafile.inputs).flatMap(
    (input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.slice(1, 2) ?? [],
  ),
);
const notices = [...folders].toSorted().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(`${root}/${folder}/package.json`, "utf8")) as {
    name: string;
    version: string;
    license: string;
  };
  const file = readdirSync(`${root}/${folder}`).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? "" : readFileSync(`${root}/${folder}/${file}`, "utf8");
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
});
writeFileSync(`${root}/dist/src/client/bin.licenses.txt`, notices.join(`\n${"-".repeat(80)}\n\n`));
