/** Which reason a result has. @module */
import { type Reason, REASONS } from "./reasons.ts";
import { type Change, isBad, type Place, type Result, type Results, type Rows } from "./results.ts";

/** The reason for a result that is not good; none for one that is. */
export function reasonFor({ client, part }: Place, row: string, result: Result): Reason | undefined {
  if (!isBad(result)) return undefined;
  return REASONS.find(
    (reason) =>
      reason.clients.test(client) &&
      reason.parts.test(part) &&
      reason.rows.test(row) &&
      (reason.results?.test(result) ?? true),
  );
}

/** Whether a change for the worse is what is recorded already, in another row. */
export function isNoNews(change: Change, recorded: Rows): boolean {
  const reason = reasonFor(change, change.row, change.after);
  if (reason?.isUnsteady !== true) return false;
  return Object.entries(recorded).some(([row, result]) => reasonFor(change, row, result) === reason);
}

/** Whether what was recorded before a change is known to come and go. */
export function comesAndGoes(change: Change): boolean {
  return reasonFor(change, change.row, change.before)?.isUnsteady === true;
}

/** Results that are not good and have no reason. */
export function unexplained(results: Results): string[] {
  return Object.entries(results).flatMap(([client, hosts]) =>
    Object.entries(hosts).flatMap(([host, parts]) =>
      Object.entries(parts).flatMap(([part, rows]) =>
        Object.entries(rows)
          .filter(
            ([row, result]) => isBad(result) && reasonFor({ client, host, part }, row, result) === undefined,
          )
          .map(([row, result]) => `${client}, ${host}, ${part}, ${row}: ${result}`),
      ),
    ),
  );
}
