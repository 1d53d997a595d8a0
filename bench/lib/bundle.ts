/** Bundles as wrangler does it with `nodejs_compat`: Node's modules are the runtime's. @module */
import { mkdirSync } from "node:fs";
import { builtinModules } from "node:module";
import { build, type BuildOptions, type Plugin } from "esbuild";
import { WORKER_BUILD } from "../../test/support/worker-bundle.ts";

/** `require("path")` and `import "path"` alike become imports of `node:path`. */
const nodeModules: Plugin = {
  name: "node-modules",
  setup({ onResolve, onLoad }) {
    const names = builtinModules.filter((name) => !name.startsWith("_")).join("|");
    onResolve({ filter: new RegExp(`^(node:)?(${names})$`) }, ({ path, kind }) => {
      const name = path.startsWith("node:") ? path : `node:${path}`;
      if (kind !== "require-call") return { path: name, external: true };
      return { path: name, namespace: "required" };
    });
    // Mail is a part of the platform that workerd alone does not have; no server here sends any.
    onResolve({ filter: /^cloudflare:email$/ }, ({ path }) => ({ path, namespace: "mail" }));
    onLoad({ filter: /.*/, namespace: "mail" }, () => ({ contents: "export class EmailMessage {}" }));
    onLoad({ filter: /.*/, namespace: "required" }, ({ path }) => ({
      contents: `import all from ${JSON.stringify(path)}; export * from ${JSON.stringify(path)}; export default all;`,
    }));
  },
};

/** Options to bundle a Worker that wants Node's modules. */
export const WORKER_WITH_NODE: BuildOptions = {
  ...WORKER_BUILD,
  plugins: [nodeModules],
  external: ["cloudflare:*"],
};

/** Bundles such a Worker into a file, which is named. */
export async function bundleWithNode(entry: string): Promise<string> {
  const directory = new URL("../.build", import.meta.url).pathname;
  mkdirSync(directory, { recursive: true });
  const outfile = `${directory}/${entry.split("/").at(-1)?.replace(/\.ts$/, ".js")}`;
  await build({ ...WORKER_WITH_NODE, entryPoints: [entry], outfile });
  return outfile;
}
