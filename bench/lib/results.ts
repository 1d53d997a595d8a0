/** Where figures are kept between a run and the pages that show them. @module */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Outcome } from "./part.ts";

export interface Result extends Outcome {
  readonly part: string;
  readonly quick: boolean;
  readonly machine: string;
  readonly date: string;
  /** How busy the machine was before it began: the load average of a minute. */
  readonly loadBefore: number;
}

const FOLDER = new URL("../results/", import.meta.url);
const LATEST = new URL("latest.json", FOLDER);

/** The last full run of each part. */
export function latest(): Record<string, Result> {
  return existsSync(LATEST) ? (JSON.parse(readFileSync(LATEST, "utf8")) as Record<string, Result>) : {};
}

/** The last full run of one part. */
export function latestOf(part: string): Result {
  const result = latest()[part];
  if (result === undefined) throw new Error(`There are no figures of ${part}: npm run bench -- ${part}`);
  return result;
}

export function keep(result: Result): void {
  mkdirSync(FOLDER, { recursive: true });
  const write = (file: URL, content: object): void =>
    writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
  write(new URL(`${result.part}.json`, FOLDER), result);
  if (!result.quick) write(LATEST, { ...latest(), [result.part]: result });
}
