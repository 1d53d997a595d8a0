/** A copy of the code, in which something stands otherwise: a mutant, or a version that is yet to come. @module */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What is replaced: it must be there exactly once. */
export interface Mutation {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  /** Where a file of the tree is in the copy. */
  path(file: string): string;
  remove(): void;
}

/** @throws where something is not there once */
export function mutant(mutations: readonly Mutation[]): Mutant {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-mutant-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    for (const part of ["src", "worker", "examples", "test/support", "package.json"]) {
      cpSync(join(ROOT, part), join(folder, part), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    for (const { file, from, to } of mutations) {
      const path = join(folder, file);
      const parts = readFileSync(path, "utf8").split(from);
      if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${from}`);
      writeFileSync(path, parts.join(to));
    }
  } catch (error) {
    remove();
    throw error;
  }
  return { path: (file) => join(folder, file), remove };
}
