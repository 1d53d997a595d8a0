/**
 * How many sessions there are, in all and of each principal. Counted once, at the start; from then on kept
 * by those that come and go, so that no request counts anything.
 * @module
 */
import { createBudget, createKeyedBudget } from "../budget.ts";
import * as failures from "../jsonrpc/failures.ts";
import type { TellLimit } from "../limits.ts";
import type { Settings } from "../options.ts";
import type { SqlStore } from "../session/store/schema.ts";

/** As stored: null for the callers of a server without `authorize`. */
type Principal = string | null;

/** The places that sessions take. */
export interface Census {
  /** Takes a place for one more session; what to answer where there is none. */
  enter(principal: Principal): failures.Failure | undefined;
  /** A session has ended, or did not come to be: its place is free. */
  leave(principal: Principal): void;
}

/** Tombstones are not sessions. Without `authorize` all callers are one, and only the total counts. */
export function createCensus(sql: SqlStore, settings: Settings, tell: TellLimit): Census {
  const { maxSessions, maxSessionsPerPrincipal } = settings;
  const all = createBudget(maxSessions);
  const each = createKeyedBudget(maxSessionsPerPrincipal);

  const stored = sql.exec<{ principal: Principal; count: number }>(
    "SELECT principal, count(*) AS count FROM session WHERE status <> 'ended' GROUP BY principal",
  );
  for (const { principal, count } of stored) {
    all.add(count);
    if (principal !== null) each.add(principal, count);
  }

  return {
    enter(principal) {
      // The principal's own limit first: what it says concerns the caller alone.
      if (principal !== null && !each.take(principal, 1)) {
        tell("maxSessionsPerPrincipal", maxSessionsPerPrincipal);
        return failures.tooManySessions(maxSessionsPerPrincipal);
      }
      if (all.take(1)) return undefined;
      if (principal !== null) each.give(principal, 1);
      tell("maxSessions", maxSessions);
      return failures.noPlace(maxSessions);
    },
    leave(principal) {
      all.give(1);
      if (principal !== null) each.give(principal, 1);
    },
  };
}
