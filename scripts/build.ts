/**
 * `npm run build`: JavaScript, declarations and their maps in `dist/`, file by file, by the compiler
 * alone. Four passes, because the floors compile against the types of different platforms; what
 * they share comes out of each alike.
 * @module
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${root}/dist/src`, { recursive: true, force: true });
rmSync(`${root}/dist/worker`, { recursive: true, force: true });

for (const project of [
  "tsconfig.build.json",
  "src/local/tsconfig.build.json",
  "src/cluster/tsconfig.build.json",
  "worker/tsconfig.build.json",
]) {
  const { status, error } = spawnSync("tsc", ["-p", project], { cwd: root, stdio: "inherit" });
  if (error !== undefined) console.error(`tsc could not be started (${error.message}); run npm ci first`);
  if (status !== 0) process.exit(1);
}
