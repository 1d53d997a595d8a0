/**
 * `npm run build:console`: the console's page, bundled from `src/console/app`, as the text that `src/console/assets.ts`
 * holds. That file is kept with the sources, so that whatever runs from them (Deno, JSR, wrangler, tests) needs no build;
 * a test compares it with what this makes.
 * @module
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

export const ASSETS: string = `${root}/src/console/assets.ts`;

/** The text of `assets.ts`, as the sources have it now. */
export async function consoleAssets(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: { app: `${root}/src/console/app/main.tsx`, style: `${root}/src/console/app/style.css` },
    outdir: "out",
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: ["chrome123", "firefox128", "safari17.5"],
    jsx: "automatic",
    jsxImportSource: "preact",
    charset: "ascii",
    legalComments: "none",
  });
  const textOf = (name: string): string =>
    outputFiles.find(({ path }) => path.endsWith(name))?.text.trim() ?? "";
  const script = textOf(".js");
  // Within HTML these would begin or end something else; esbuild writes none of them, and must not begin to.
  if (/<\/script|<!--/i.test(script)) throw new Error("the script cannot stand in a page");
  return `/** The console's script and style: made by \`npm run build:console\` from \`app\`, not by hand. @module */

/** The page's script: ECMAScript, one module. */
export const SCRIPT: string = ${JSON.stringify(script)};

/** The page's style: CSS. */
export const STYLE: string = ${JSON.stringify(textOf(".css"))};
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(ASSETS, await consoleAssets());
