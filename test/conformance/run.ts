/**
 * `npm run conformance`: the official suite against the example on workerd, and the set of the current
 * revision on the hosts named as arguments (`npm run conformance -- node deno bun`). Every scenario
 * counts; there is no list of expected failures.
 * @module
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { startBun } from "../support/bun.ts";
import { startCluster } from "../support/cluster.ts";
import { startDeno } from "../support/deno.ts";
import { startNode } from "../support/node.ts";
import { startWorkerd, type TestServer } from "../support/workerd.ts";

/** The suite's command line, by the alias that package.json installs it under. */
const cli = (alias: string): string =>
  join(dirname(createRequire(import.meta.url).resolve(`${alias}/package.json`)), "dist/index.js");

const NEW = cli("conformance-0.2");
const STABLE = cli("conformance-0.1");

interface Run {
  readonly suite: string;
  readonly args: readonly string[];
  readonly least: number;
}

const CURRENT: Run = { suite: NEW, args: ["--requirements", "2025-11-25"], least: 80 };
const ALL: readonly Run[] = [
  CURRENT,
  ...["server-session-lifecycle", "server-sse-polling", "json-schema-2020-12"].map((scenario) => ({
    suite: NEW,
    args: ["--scenario", scenario, "--spec-version", "2025-11-25"],
    least: 3,
  })),
  { suite: NEW, args: ["--spec-version", "2025-06-18"], least: 50 },
  { suite: NEW, args: ["--spec-version", "2025-03-26"], least: 3 },
  { suite: STABLE, args: ["--suite", "all"], least: 40 },
];

const vars = { HOLDFAST_LOG_LEVEL: "warn" };
const LOCAL = { node: startNode, deno: startDeno, bun: startBun, cluster: startCluster };

let passed = 0;
let failed = 0;
const names = process.argv.slice(2);
const unknown = names.find((name) => !(name in LOCAL));
if (unknown !== undefined) throw new Error(`${unknown} must be one of ${Object.keys(LOCAL).join(", ")}`);
// The suites wait more than they compute, and each host has a server of its own.
await Promise.all([
  startWorkerd({ vars }).then((server) => check("workerd", server, ALL)),
  ...names.map(async (name) => check(name, await LOCAL[name as keyof typeof LOCAL]({ vars }), [CURRENT])),
]);
console.log(`conformance: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function check(name: string, server: TestServer, runs: readonly Run[]): Promise<void> {
  const results = mkdtempSync(join(tmpdir(), "holdfast-conformance-"));
  try {
    for (const each of runs) await checkOne(name, server.url, each, results);
  } finally {
    await server.close();
    rmSync(results, { recursive: true, force: true });
  }
}

async function checkOne(
  name: string,
  url: string,
  { suite, args, least }: Run,
  results: string,
): Promise<void> {
  const { code, output } = await run(suite, ["server", "--url", `${url}/mcp`, ...args, "-o", results]);
  const total = totals(output);
  passed += total.passed;
  failed += total.failed;
  // A suite that skips what it came for has not passed.
  const isGood = code === 0 && total.failed === 0 && total.passed >= least;
  const version = suite === NEW ? "0.2" : "0.1";
  console.log(
    `${isGood ? "ok  " : "FAIL"} ${name}, ${version} ${args.join(" ")}: ${total.passed} passed, ${total.failed} failed`,
  );
  if (isGood) return;
  if (total.failed === 0) failed += 1;
  console.log(output.split("\n").slice(-120).join("\n"));
}

function run(script: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk));
    child.once("error", reject);
    child.once("exit", (code) => resolve({ code, output }));
  });
}

/** Sums up the lines `✓ scenario: N passed, N failed`, or takes the one line of a single scenario. */
function totals(output: string): { passed: number; failed: number } {
  const total = /^Total: (\d+) passed, (\d+) failed/m.exec(output);
  const single = /^Passed: (\d+)\/\d+, (\d+) failed/m.exec(output);
  const [, passed = "0", failed = "0"] = total ?? single ?? [];
  return { passed: Number(passed), failed: Number(failed) };
}
