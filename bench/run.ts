/**
 * `npm run bench [-- part …] [--quick] [--write]`: measures on this machine, on loopback alone, and prints tables;
 * the figures go to `bench/results/`, a file for each part, and, but for quick runs, to `latest.json`,
 * which is what the pages of `docs/` are made of: by `npm run bench:report`, or at once with `--write`. Every figure stands beside one that was taken
 * in the same run.
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Part } from "./lib/part.ts";
import { PARTS } from "./lib/parts.ts";
import { keep } from "./lib/results.ts";

const HERE = import.meta.dirname;
const NAMES: readonly string[] = PARTS;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false }, write: { type: "boolean", default: false } },
});
if (values.quick && values.write) {
  console.error("--write needs full runs: the pages show no quick ones");
  process.exit(2);
}
const unknown = positionals.filter((name) => !NAMES.includes(name));
if (unknown.length > 0) {
  console.error(`There is no part ${unknown.join(", ")}; there are ${NAMES.join(", ")}`);
  process.exit(2);
}

// The peers are dependencies of the benchmarks alone.
if (!existsSync(`${HERE}/node_modules`)) {
  const installed = spawnSync("npm", ["ci", "--prefix", HERE, "--no-audit", "--no-fund"], {
    stdio: "inherit",
  });
  if (installed.status !== 0) process.exit(1);
}

const today = new Date().toISOString().slice(0, 10);
const startedAt = performance.now();
const say = (text: string): void =>
  console.error(`[${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s] ${text}`);

const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, Node ${process.version}`;
console.log(machine);
for (const name of positionals.length > 0 ? positionals : NAMES) {
  const module = (await import(`./parts/${name}.ts`)) as Record<string, Part>;
  const part = module[name] as Part;
  const [loadBefore = 0] = loadavg();
  const { rows, verdicts } = await part.run({ quick: values.quick, say });
  console.log(`\n${name}: ${part.what}`);
  // Rows of one kind stand together.
  const kinds = Map.groupBy(part.show(rows), (row) => Object.keys(row).join());
  for (const kind of kinds.values()) console.table(kind);
  if (verdicts.length > 0)
    console.table(
      verdicts.map(({ target, figure, met }) => ({ target, figure, met: met ? "met" : "MISSED" })),
    );
  keep({ part: name, quick: values.quick, machine, date: today, loadBefore, rows, verdicts });
}
if (values.write) {
  const written = spawnSync("npm", ["run", "-s", "bench:report"], { cwd: `${HERE}/..`, stdio: "inherit" });
  if (written.status !== 0) process.exit(1);
}
say("done");
