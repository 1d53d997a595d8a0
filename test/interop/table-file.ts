/** docs/clients.md, of which a part is made. @module */
import { readFileSync, writeFileSync } from "node:fs";
import type { Results } from "./results.ts";
import { renderTables } from "./table.ts";

const FILE = new URL("../../docs/clients.md", import.meta.url);
const BEGIN = "<!-- begin: npm run interop -->";
const END = "<!-- end: npm run interop -->";

/** The page before, between and after the markers. */
function read(): readonly [before: string, table: string, after: string] {
  const text = readFileSync(FILE, "utf8");
  const begin = text.indexOf(BEGIN) + BEGIN.length;
  const end = text.indexOf(END);
  if (begin < BEGIN.length || end < begin) throw new Error(`${FILE.pathname} has lost its markers`);
  return [text.slice(0, begin), text.slice(begin, end).trim(), text.slice(end)];
}

/** What the page says now. */
export const readTable = (): string => read()[1];

export function writeTable(results: Results): void {
  const [before, , after] = read();
  writeFileSync(FILE, `${before}\n\n${renderTables(results)}\n\n${after}`);
}
