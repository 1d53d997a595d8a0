/** The test server on Bun. @module */
import { join } from "node:path";
import { BIN, type ProcessOptions, type ProcessServer, startProcess } from "./process.ts";
import type { Subject } from "./subject.ts";

/** Runs a TypeScript file. */
export const BUN: readonly string[] = [join(BIN, "bun")];

export function startBun(options?: ProcessOptions): Promise<ProcessServer> {
  return startProcess(BUN, options);
}

export const bun: Subject = { name: "bun", start: (vars = {}) => startBun({ vars }) };
