/**
 * `npm run docs` builds the site over `docs/` into `site/dist` and checks it; `npm run docs:dev` serves it while one
 * writes. What that takes is installed on the first run, beside the project and not into it: see `site/package.json`.
 * @module
 */
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SITE = fileURLToPath(new URL("../site/", import.meta.url));
const BIN = fileURLToPath(new URL("../node_modules/.bin/", import.meta.url));

/** Runs a program in `site/`, and ends with it where it fails. */
function run(...[command, ...args]: readonly [string, ...string[]]): void {
  const { status, error } = spawnSync(command, args, { cwd: SITE, stdio: "inherit" });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** When the file was written; 0 where there is none. */
const written = (file: string): number =>
  statSync(new URL(`../site/${file}`, import.meta.url), { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (written("node_modules/.package-lock.json") < written("package-lock.json"))
  run("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund");
if (process.argv[2] === "dev") {
  run(process.execPath, "dev.ts");
} else {
  run(`${BIN}tsc`, "-p", "tsconfig.json");
  run(process.execPath, "build.ts");
}
