/**
 * `npm run bench:report`: puts the tables of the last runs (`bench/results/`) into `docs/performance.md`
 * and those of `bench/cost.ts` into `docs/cost.md`, between their marks.
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { costTables } from "./cost.ts";
import type { Part } from "./lib/part.ts";
import { PARTS } from "./lib/parts.ts";
import { latestOf } from "./lib/results.ts";

const HERE = import.meta.dirname;

/** Rows of one kind, one table. */
function tables(rows: readonly object[]): string {
  const kinds = Map.groupBy(rows, (row) => Object.keys(row).join());
  return [...kinds.values()].map(table).join("\n\n");
}

function table(rows: readonly object[]): string {
  const names = Object.keys(rows[0] ?? {});
  const line = (cells: readonly unknown[]): string => `| ${cells.map(String).join(" | ")} |`;
  return [
    line(names),
    line(names.map((name) => (isNumeric(rows, name) ? "---:" : "---"))),
    ...rows.map((row) => line(Object.values(row))),
  ].join("\n");
}

function isNumeric(rows: readonly object[], name: string): boolean {
  return rows.every((row) => /^(–|[\d.,]*)$/.test(String((row as Record<string, unknown>)[name])));
}

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->`. */
function put(file: string, parts: Readonly<Record<string, string>>): void {
  let text = readFileSync(file, "utf8");
  for (const [name, content] of Object.entries(parts)) {
    const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const from = text.indexOf(open);
    const to = text.indexOf(close);
    if (from === -1 || to === -1) throw new Error(`${file} has no place for ${name}`);
    const gap = content.includes("\n") ? "\n\n" : "";
    text = text.slice(0, from + open.length) + gap + content + gap + text.slice(to);
  }
  writeFileSync(file, text);
}

const found: Record<string, string> = {};
const targets: object[] = [];
for (const name of PARTS) {
  const { rows, verdicts, machine, date } = latestOf(name);
  const module = (await import(`./parts/${name}.ts`)) as Record<string, Part>;
  const part = module[name] as Part;
  found[name] = tables(part.show(rows));
  for (const { target, figure, met } of verdicts)
    targets.push({ part: name, target, figure, met: met ? "met" : "**missed**" });
  found["machine"] = `${machine}, ${date},`;
}
found["targets"] = table(targets);
put(`${HERE}/../docs/performance.md`, found);
const { use, cost } = costTables();
put(`${HERE}/../docs/cost.md`, { use: table(use), cost: table(cost) });
