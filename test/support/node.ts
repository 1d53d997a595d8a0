/** The test server on Node. @module */
import { join } from "node:path";
import { built } from "./built.ts";
import { BIN, ENTRY, type ProcessOptions, type ProcessServer, startProcess } from "./process.ts";
import type { Subject } from "./subject.ts";

/** Runs a TypeScript file. */
export const NODE: readonly string[] = [join(BIN, "node")];

export function startNode(options?: ProcessOptions): Promise<ProcessServer> {
  return startProcess(NODE, { entry: built(ENTRY), ...options });
}

export const node: Subject = { name: "node", start: (vars = {}) => startNode({ vars }) };
