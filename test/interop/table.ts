/** The tables of docs/clients.md, from the results. @module */
import { CLIENTS } from "./clients.ts";
import { HOSTS } from "./lab.ts";
import { PARTS, type Part } from "./parts.ts";
import { reasonFor } from "./explain.ts";
import type { Reason } from "./reasons.ts";
import { isBad, type Result, type Results, type Row } from "./results.ts";

/** Numbers reasons in the order in which the tables name them. */
interface Notes {
  numberOf(reason: Reason): number;
  readonly named: readonly Reason[];
}

/** All tables, and the reasons that their cells refer to. */
export function renderTables(results: Results): string {
  const notes = createNotes();
  const tables = PARTS.map((part) => renderPart(part, results, notes)).filter((table) => table !== "");
  const reasons = notes.named.map(
    ({ why, side, link: [text, url] }, index) =>
      `${index + 1}. ${side === "client" ? "**Client only.** " : ""}${why} ([${text}](${url}))`,
  );
  return [...tables, `### Reasons\n\n${reasons.join("\n")}`].join("\n\n");
}

function renderPart(part: Part, results: Results, notes: Notes): string {
  const clients = CLIENTS.filter(({ name }) => HOSTS.some((host) => results[name]?.[host]?.[part.name]));
  if (clients.length === 0) return "";
  const isVersioned = part.rows.some(([key]) => key === "progress");
  const rows: readonly Row[] = [...(isVersioned ? [["version", "version"] as const] : []), ...part.rows];
  const lines = clients.map(({ name }) => {
    const cells = rows.map(([key]) => renderCell(name, part, key, results, notes));
    return [name, ...cells];
  });
  const heads = ["", ...rows.map(([, heading]) => heading)];
  return `### ${part.title}\n\n${markdown([heads, heads.map(() => "---"), ...lines])}`;
}

/** One word where the hosts agree, else one for each. */
function renderCell(client: string, part: Part, row: string, results: Results, notes: Notes): string {
  const told = HOSTS.map((host) => {
    const rows = results[client]?.[host]?.[part.name];
    // A client that did not connect came to no row.
    const key = rows?.[row] === undefined ? "connect" : row;
    const result = rows?.[key];
    if (result === undefined) return "";
    return renderResult(result, reasonFor({ client, host, part: part.name }, key, result), notes);
  });
  const [first = "", second = ""] = told;
  if (first === second || second === "") return first;
  return first === "" ? second : `${first} / ${second}`;
}

function renderResult(result: Result, reason: Reason | undefined, notes: Notes): string {
  const word = isBad(result) ? `**${result}**` : result;
  return reason === undefined ? word : `${word} (${notes.numberOf(reason)})`;
}

function createNotes(): Notes {
  const named: Reason[] = [];
  return {
    named,
    numberOf(reason) {
      if (!named.includes(reason)) named.push(reason);
      return named.indexOf(reason) + 1;
    },
  };
}

/** A table as the formatter writes it: columns of equal width. */
function markdown(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? "").length)),
  );
  return lines
    .map((line) => {
      const cells = line.map((cell, column) =>
        cell === "---"
          ? "-".repeat(Math.max(widths[column] ?? 3, 3))
          : cell.padEnd(Math.max(widths[column] ?? 3, 3)),
      );
      return `| ${cells.join(" | ")} |`;
    })
    .join("\n");
}
