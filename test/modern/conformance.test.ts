/** The official suite on one URL, both eras: every scored scenario of 2026-07-28, and three that are not scored. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { describeBeside } from "../support/beside.ts";
import { hosts } from "../support/hosts.ts";
import { NEEDED } from "../support/process.ts";
import { serve } from "../support/subject.ts";

const CLI = join(
  dirname(createRequire(import.meta.url).resolve("conformance-0.2/package.json")),
  "dist/index.js",
);

interface Outcome {
  readonly passed: number;
  /** Scenarios with failures, by name. */
  readonly failed: readonly string[];
}

async function conformance(url: string, args: readonly string[]): Promise<Outcome> {
  const results = mkdtempSync(join(tmpdir(), "holdfast-conformance-"));
  try {
    const command = [CLI, "server", "--url", `${url}/mcp`, ...args, "-o", results];
    const child = spawn(process.execPath, command, { stdio: "ignore", env: { ...process.env, ...NEEDED } });
    await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    let passed = 0;
    const failed = new Set<string>();
    for (const run of readdirSync(results)) {
      const checks = JSON.parse(readFileSync(join(results, run, "checks.json"), "utf8")) as {
        status: string;
      }[];
      for (const { status } of checks) {
        if (status === "SUCCESS") passed += 1;
        if (status === "FAILURE") failed.add(run.replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT.*$/, ""));
      }
    }
    return { passed, failed: [...failed].toSorted() };
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

describeBeside(hosts, "on $name", (host) => {
  const server = serve(host, { HOLDFAST_LOG_LEVEL: "warn" });

  test("2026-07-28: no scenario fails, scored or not", { timeout: 240_000 }, async () => {
    const { passed, failed } = await conformance(server.url, ["--requirements", "2026-07-28"]);
    expect(failed).toEqual([]);
    expect(passed).toBeGreaterThan(190);
  });

  test.each(["http-header-validation", "http-custom-header-server-validation", "json-schema-2020-12"])(
    "%s",
    { timeout: 60_000 },
    async (scenario) => {
      const { passed, failed } = await conformance(server.url, [
        "--scenario",
        scenario,
        "--spec-version",
        "2026-07-28",
      ]);
      expect(failed).toEqual([]);
      expect(passed).toBeGreaterThanOrEqual(8);
    },
  );

  test("2025-11-25, on the same URL", { timeout: 240_000 }, async () => {
    const { passed, failed } = await conformance(server.url, ["--requirements", "2025-11-25"]);
    expect(failed).toEqual([]);
    expect(passed).toBeGreaterThan(80);
  });
});
