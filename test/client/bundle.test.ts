/** What `recoveringFetch` costs those who bundle it. */
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

test("recoveringFetch is less than 6 KiB gzip and imports nothing but an SSE parser", async () => {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: 'export { recoveringFetch } from "./src/client/index.ts";',
      resolveDir: new URL("../..", import.meta.url).pathname,
    },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "neutral",
    write: false,
    metafile: true,
  });
  const size = gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
  expect(size).toBeGreaterThan(1024);
  expect(size).toBeLessThan(5.75 * 1024);
  const used = Object.entries(Object.values(metafile.outputs)[0]?.inputs ?? {});
  const foreign = used.filter(
    ([path, { bytesInOutput }]) => bytesInOutput > 0 && path.includes("node_modules/"),
  );
  expect(foreign.map(([path]) => path.replace(/.*node_modules\/([^/]+).*/, "$1"))).toEqual(
    foreign.map(() => "eventsource-parser"),
  );
});
