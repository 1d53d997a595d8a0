/**
 * How many sessions there are in the cluster, in all and of each principal. Those of a principal are counted as one more
 * is opened; all of them now and then, for it takes long where they are many: what the other processes open and end
 * meanwhile is not known here.
 * @module
 */
import * as failures from "../jsonrpc/failures.ts";
import { createLimitNotice } from "../limits.ts";
import type { Settings } from "../options.ts";
import type { Engine } from "./engine.ts";

/** A place among the sessions there may be. */
export interface Place {
  /** The session that it was for has come to be, or has not. */
  entered(isOpen: boolean): void;
}

/** Who may open one more session. */
export interface Census {
  /** Takes a place for one more session; what to answer where there is none. Rejects where nobody can tell. */
  enter(principal: string | null): Promise<Place | failures.Failure>;
  /** A session has ended. */
  left(): void;
  /** A tombstone becomes a session again; what to answer where there is no place for it. */
  revive(): failures.Failure | undefined;
  /** Counts them all. */
  refresh(): Promise<void>;
}

/** Nothing is counted before {@link Census.refresh}. */
export function createCensus(engine: Engine, settings: Settings, now: () => number): Census {
  const { maxSessions, maxSessionsPerPrincipal } = settings;
  const tell = createLimitNotice(settings.emit, now);
  /** As they were last counted, with what this process has opened and ended since. */
  let all = 0;
  /** Sessions of each principal that are being opened here. */
  const opening = new Map<string, number>();

  const count = (principal: string, by: number): number => {
    const left = (opening.get(principal) ?? 0) + by;
    if (left === 0) opening.delete(principal);
    else opening.set(principal, left);
    return left;
  };

  const takeOne = (): failures.Failure | undefined => {
    if (all >= maxSessions) {
      tell("maxSessions", maxSessions);
      return failures.noPlace(maxSessions);
    }
    all += 1;
    return undefined;
  };

  return {
    async enter(principal) {
      // The principal's own limit first: what it says concerns the caller alone.
      if (principal !== null) {
        const others = count(principal, 1) - 1;
        const limit = maxSessionsPerPrincipal - others;
        const isFull =
          limit <= 0 ||
          (await engine.count(principal, limit).catch((error: unknown) => {
            count(principal, -1);
            throw error;
          })) >= limit;
        if (isFull) {
          count(principal, -1);
          tell("maxSessionsPerPrincipal", maxSessionsPerPrincipal);
          return failures.tooManySessions(maxSessionsPerPrincipal);
        }
      }
      const full = takeOne();
      if (full !== undefined) {
        if (principal !== null) count(principal, -1);
        return full;
      }
      return {
        entered(isOpen) {
          if (principal !== null) count(principal, -1);
          if (!isOpen) all -= 1;
        },
      };
    },
    left() {
      all -= 1;
    },
    revive: takeOne,
    async refresh() {
      all = await engine.count(undefined, maxSessions);
    },
  };
}
