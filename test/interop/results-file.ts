/** The file that keeps what came of the rows. @module */
import { readFileSync, writeFileSync } from "node:fs";
import type { Results } from "./results.ts";

const FILE = new URL("results.json", import.meta.url);

export const readResults = (): Results => JSON.parse(readFileSync(FILE, "utf8")) as Results;

/** One line for each part, so that a difference reads well. Clients, hosts and parts are in order of their names. */
export function writeResults(results: Results): void {
  const sorted = <T>(record: Readonly<Record<string, T>>): [string, T][] =>
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = sorted(results).map(([client, hosts]) => {
    const inner = sorted(hosts).map(([host, parts]) => {
      const each = sorted(parts).map(
        ([part, rows]) => `      ${JSON.stringify(part)}: ${JSON.stringify(rows)}`,
      );
      return `    ${JSON.stringify(host)}: {\n${each.join(",\n")}\n    }`;
    });
    return `  ${JSON.stringify(client)}: {\n${inner.join(",\n")}\n  }`;
  });
  writeFileSync(FILE, `{\n${lines.join(",\n")}\n}\n`);
}
