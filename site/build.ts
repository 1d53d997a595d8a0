/**
 * `npm run docs`: builds the site, and fails where a docstring, a page or a link is not as it should be. What it makes
 * is in `site/dist`.
 * @module
 */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vitepress";
import { writeApi } from "./api.ts";
import { checkLinks } from "./check-links.ts";
import { entries } from "./entries.ts";
import { llms, llmsFull, markdown, standalone } from "./llms.ts";
import { written } from "./pages.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const DIST = join(HERE, "dist");

/** Puts a text into the site. */
function put(file: string, text: string): void {
  mkdirSync(dirname(join(DIST, file)), { recursive: true });
  writeFileSync(join(DIST, file), text);
}

await writeApi();
await build(HERE);
put("llms.txt", llms(entries));
put("llms-full.txt", llmsFull());
for (const file of written()) put(markdown(file), standalone(file));
for (const { file } of entries) cpSync(join(HERE, "../docs", file), join(DIST, file));
await checkLinks(DIST);
