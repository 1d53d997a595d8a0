/** The official suite's client scenarios, with a stock SDK client and our `fetch`: nothing is broken by it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { run } from "../support/process.ts";
import { NODE_BIN } from "./support/program.ts";

const suite = join(
  dirname(createRequire(import.meta.url).resolve("conformance-0.2/package.json")),
  "dist/index.js",
);
const client = new URL("support/conformance-client.ts", import.meta.url).pathname;
const output = mkdtempSync(join(tmpdir(), "holdfast-conformance-"));
afterAll(() => rmSync(output, { recursive: true, force: true }));

interface Check {
  readonly id: string;
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO";
  readonly errorMessage?: string;
}

const SESSION_ERA = ["initialize", "tools_call", "sse-retry", "elicitation-sep1034-client-defaults"];
const STATELESS_ERA = ["request-metadata", "http-standard-headers", "http-custom-headers"];

describe.each([
  { sdk: "v1", version: "2025-11-25", scenarios: SESSION_ERA },
  { sdk: "v2", version: "2025-11-25", scenarios: SESSION_ERA },
  { sdk: "v2", version: "2026-07-28", scenarios: STATELESS_ERA },
])("SDK $sdk, $version", ({ sdk, version, scenarios }) => {
  test.each(scenarios)(
    "%s",
    async (scenario) => {
      const results = join(output, `${sdk}-${scenario}`);
      const command = `${NODE_BIN} ${client} ${sdk}`;
      const args = ["--command", command, "--scenario", scenario, "--spec-version", version, "-o", results];
      const { code, stdout, stderr } = await run([NODE_BIN, suite, "client", ...args]);
      const [file] = readdirSync(results, { recursive: true, encoding: "utf8" }).filter((path) =>
        path.endsWith("checks.json"),
      );
      const checks = JSON.parse(readFileSync(join(results, file ?? ""), "utf8")) as Check[];
      const failed = checks.filter(({ status }) => status === "FAILURE" || status === "WARNING");
      expect(failed, `${stdout}\n${stderr}`).toEqual([]);
      expect(checks.filter(({ status }) => status === "SUCCESS").length).toBeGreaterThan(0);
      expect(code, `${stdout}\n${stderr}`).toBe(0);
    },
    60_000,
  );
});
