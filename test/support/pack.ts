/** The packed package, as a registry would have it. @module */
import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { run } from "./process.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
/** Whoever has made it is packing. */
const LOCK = join(ROOT, "dist.packing");
/** Longer than anything takes that still runs, in milliseconds. */
const STALE_MS = 180_000;

/** The folder that one run of the tests keeps it in; told to its processes by the environment. */
export const PACKED = "TEST_PACKAGE_PACKED";

/**
 * The package's tarball, in this folder. Packing builds `dist/` anew: whoever wants it first does it, once in a run of the
 * tests, and one at a time, whatever runs beside.
 */
export async function pack(into: string): Promise<string> {
  while (!locked()) await pause(100);
  try {
    const kept = process.env[PACKED] ?? into;
    if (tarballIn(kept) === undefined) {
      const { code, stderr } = await run(["npm", "pack", "--pack-destination", kept], { cwd: ROOT });
      if (code !== 0) throw new Error(`npm pack ended with ${code}:\n${stderr}`);
    }
    const name = tarballIn(kept) ?? "";
    if (kept !== into) copyFileSync(join(kept, name), join(into, name));
    return join(into, name);
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

function tarballIn(folder: string): string | undefined {
  return readdirSync(folder).find((name) => /^holdfast-.*\.tgz$/.test(name));
}

function locked(): boolean {
  try {
    mkdirSync(LOCK);
    return true;
  } catch {
    const { mtimeMs = Date.now() } = statSync(LOCK, { throwIfNoEntry: false }) ?? {};
    if (Date.now() - mtimeMs > STALE_MS) rmSync(LOCK, { recursive: true, force: true });
    return false;
  }
}
