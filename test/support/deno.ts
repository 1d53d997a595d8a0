/** The test server on Deno, with the permissions that it needs and no more. @module */
import { join } from "node:path";
import { BIN, type ProcessOptions, type ProcessServer, startProcess } from "./process.ts";
import type { Subject } from "./subject.ts";

const PERMISSIONS = ["--allow-net", "--allow-env", "--allow-read", "--allow-write"];

/** Runs a TypeScript file. */
export const DENO: readonly string[] = [join(BIN, "deno"), "run", "--no-check", ...PERMISSIONS];

export function startDeno(options?: ProcessOptions): Promise<ProcessServer> {
  return startProcess(DENO, options);
}

export const deno: Subject = { name: "deno", start: (vars = {}) => startDeno({ vars }) };
