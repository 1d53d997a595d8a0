/** What came of the rows, and how two outcomes compare. @module */

/** A row: its key, and its heading in the table. */
export type Row = readonly [key: string, heading: string];

/**
 * - `ok`
 * - `interr.`: the call ended with the server's one error for calls that a restart interrupted
 * - `err`: it ended with another error, soon
 * - `2/3`, `6/3`: notifications heard, of those that were sent
 * - `F`: failed where it should not; `hang`: no end before the time limit
 * - `DEL`, `none`: what the client sends when it closes
 * - `–`: the client cannot; `n/a`: the revision has no such thing
 * - or the protocol version, in the row `version`
 */
export type Result = string;

/** By row. */
export type Rows = Readonly<Record<string, Result>>;
/** By part. */
export type Parts = Readonly<Record<string, Rows>>;
/** By host. */
export type Hosts = Readonly<Record<string, Parts>>;
/** By client. */
export type Results = Readonly<Record<string, Hosts>>;

export interface Place {
  readonly client: string;
  readonly host: string;
  readonly part: string;
}

export interface Change extends Place {
  readonly row: string;
  readonly before: Result;
  readonly after: Result;
}

/** Rows that are noted in every part: never compared with better or worse. */
const FACTS = new Set(["version"]);

/** 0 is best. */
export function rank(result: Result): number {
  if (result === "F" || result === "hang") return 3;
  if (/^\d+\/\d+$/.test(result)) return 2;
  return result === "err" ? 1 : 0;
}

export const isBad = (result: Result): boolean => rank(result) >= 2;

export interface Changes {
  readonly worse: readonly Change[];
  readonly better: readonly Change[];
}

/** Where the second differs from the first in rank. A row that is new is no change. */
export function changes(place: Place, before: Rows, after: Rows): Changes {
  const worse: Change[] = [];
  const better: Change[] = [];
  for (const [row, old] of Object.entries(before)) {
    if (FACTS.has(row)) continue;
    // What a client that does not connect never came to, and what was not noted at all, has failed.
    const now = after[row] ?? after["connect"] ?? "F";
    const change = { ...place, row, before: old, after: now };
    if (rank(now) > rank(old)) worse.push(change);
    if (rank(now) < rank(old)) better.push(change);
  }
  return { worse, better };
}

/** Whether all of it may be for want of time: nothing came twice, and nothing ended with an error of its own. */
export function isOfTime(worse: readonly Change[]): boolean {
  return worse.length > 0 && worse.every(({ after }) => isBad(after) && !isDoubled(after));
}

function isDoubled(result: Result): boolean {
  const [heard = 0, sent = 0] = result.split("/").map(Number);
  return heard > sent;
}

export const rowsAt = (results: Results, { client, host, part }: Place): Rows | undefined =>
  results[client]?.[host]?.[part];

export function withRows(results: Results, { client, host, part }: Place, rows: Rows): Results {
  const hosts = results[client] ?? {};
  return { ...results, [client]: { ...hosts, [host]: { ...hosts[host], [part]: rows } } };
}
