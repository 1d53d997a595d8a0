/**
 * Before the first tests: makes the servers that are started in them, and a place for the packed package. Beside the first
 * tests: has Node compile them once, for all the times that they are started.
 * @module
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { built, buildServers } from "./built.ts";
import { NODE } from "./node.ts";
import { PACKED } from "./pack.ts";
import { CACHE, ENTRY, run } from "./process.ts";
import { WORKER } from "./workerd.ts";

/** Nobody waits for the compiling but the end of the run. */
export default async function warm(project: TestProject): Promise<() => Promise<void>> {
  const programs = [ENTRY, new URL("cluster-server.ts", import.meta.url).pathname];
  const make = (): Promise<void> => buildServers(join(CACHE, "servers"), { programs, worker: WORKER });
  const packed = (process.env[PACKED] = mkdtempSync(join(tmpdir(), "holdfast-packed-")));
  await make();
  project.onTestsRerun(async () => {
    for (const name of readdirSync(packed)) rmSync(join(packed, name));
    await make();
  });
  // Refused settings, so that each ends by itself, with all its modules loaded: only then does Node write. The sources
  // too, for the tests that run them.
  const warming = Promise.all(
    [...programs, ...programs.map(built)].map((entry) =>
      run([...NODE, entry], { vars: { HOLDFAST_RETRY_MS: "none" } }),
    ),
  );
  return async () => {
    await warming;
    rmSync(packed, { recursive: true, force: true });
  };
}
