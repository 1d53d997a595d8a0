/** What each entry weighs in a user's bundle: minified, gzip, peers not counted where they are peers. @module */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { WORKER_WITH_NODE } from "./bundle.ts";

const ROOT = new URL("../..", import.meta.url).pathname;

/** The official SDK and Hono are the user's own, or shared with the rest of the app. */
const PEERS = [
  "@modelcontextprotocol/*",
  "hono",
  "hono/*",
  "@hono/*",
  "jose",
  "@opentelemetry/*",
  "pg",
  "bun",
  "cloudflare:*",
  "node:*",
];

export interface Entry {
  readonly name: string;
  /** What a user writes, from the root of the repository. */
  readonly code: string;
  /** Peers are in it. */
  readonly whole?: boolean;
}

/** Every entry of the package, by the source of its build. */
function exported(): Entry[] {
  const { exports } = JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8")) as {
    exports: Record<string, string | { default: string }>;
  };
  return Object.entries(exports).flatMap(([path, target]) => {
    if (typeof target === "string") return [];
    const source = target.default.replace("./dist/", "./").replace(/\.js$/, ".ts");
    return [{ name: join("holdfast", path), code: `export * from ${JSON.stringify(source)};` }];
  });
}

/** What has a budget, in `budget.json`. */
export const ENTRIES: readonly Entry[] = [
  {
    name: "router + session core",
    code: `export { createMcpRouter } from "./src/router.ts";
      export { createSession } from "./src/session/session.ts";
      export { createSessionStore } from "./src/session/store/store.ts";`,
  },
  ...exported(),
  { name: "recoveringFetch", code: 'export { recoveringFetch } from "./src/client/recovering-fetch.ts";' },
  {
    name: "a Worker with one tool, SDK and Hono included",
    code: 'export * from "./bench/worker/one-tool.ts"; export { default } from "./bench/worker/one-tool.ts";',
    whole: true,
  },
  {
    name: "the example Worker, SDK and Hono included",
    code: 'export * from "./worker/example/index.ts"; export { default } from "./worker/example/index.ts";',
    whole: true,
  },
];

export interface Size {
  readonly minified: number;
  readonly gzip: number;
  /** Bytes of the largest sources, as they stand in the bundle. */
  readonly largest: readonly (readonly [path: string, bytes: number])[];
  /** All sources that are in the bundle. */
  readonly sources: readonly string[];
}

export async function sizeOf({ code, whole = false }: Entry): Promise<Size> {
  const { outputFiles, metafile } = await build({
    ...WORKER_WITH_NODE,
    plugins: whole ? (WORKER_WITH_NODE.plugins ?? []) : [],
    external: whole ? ["cloudflare:*"] : PEERS,
    stdin: { contents: code, resolveDir: ROOT, loader: "ts" },
    minify: true,
    metafile: true,
    write: false,
  });
  const [output] = outputFiles;
  const bytes = output?.contents ?? new Uint8Array();
  const [meta] = Object.values(metafile?.outputs ?? {});
  const inputs = Object.entries(meta?.inputs ?? {});
  const largest = inputs
    .map(([path, { bytesInOutput }]) => [path, bytesInOutput] as const)
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, 8);
  const sources = inputs.map(([path]) => path);
  return { minified: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, largest, sources };
}
