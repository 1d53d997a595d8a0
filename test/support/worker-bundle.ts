/** Workers as wrangler bundles them. @module */
import { build, type BuildOptions } from "esbuild";

/** What a Worker's bundle is made with. */
export const WORKER_BUILD: BuildOptions = {
  bundle: true,
  format: "esm",
  platform: "browser",
  conditions: ["workerd", "worker", "browser"],
  target: "es2024",
  logLevel: "silent",
};

/** The same for one that has all it needs but what the runtime brings, and that is not written. */
export const WORKER_TEXT: BuildOptions & { write: false } = {
  ...WORKER_BUILD,
  external: ["cloudflare:*", "node:*"],
  write: false,
};

/** Bundles a Worker. */
export async function makeBundle(entry: string): Promise<string> {
  const { outputFiles } = await build({ ...WORKER_TEXT, entryPoints: [entry] });
  return outputFiles[0]?.text ?? "";
}
