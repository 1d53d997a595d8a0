/** The packed package, as a registry would have it. @module */
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { run } from "./process.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
/** Whoever has made it is packing. */
const LOCK = join(ROOT, "dist.packing");
/** Longer than anything takes that still runs, in milliseconds. */
const STALE_MS = 180_000;

/**
 * Packs the package into this folder: the tarball's path. Packing builds `dist/` anew, so one test file after the other does
 * it, whatever runs beside.
 */
export async function pack(into: string): Promise<string> {
  while (!locked()) await pause(100);
  try {
    const { code, stderr } = await run(["npm", "pack", "--pack-destination", into], { cwd: ROOT });
    if (code !== 0) throw new Error(`npm pack ended with ${code}:\n${stderr}`);
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
  return join(into, readdirSync(into).find((name) => /^holdfast-.*\.tgz$/.test(name)) ?? "");
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
