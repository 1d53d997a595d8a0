/** What holds for all tasks of a deployment, and who is turned away by it. @module */
import type { GuestCount } from "../guest.ts";
import { type Failure, noTaskMore, tooManyTasks } from "../jsonrpc/failures.ts";
import type { TellLimit } from "../limits.ts";

/** What holds for all tasks of a deployment. */
export interface TaskLimits {
  readonly afterMs: number;
  readonly ttlMs: number;
  readonly pollIntervalMs: number;
  readonly maxAttempts: number;
  readonly maxTasks: number;
  readonly maxTasksPerPrincipal: number;
}

/** What decides on a place for one more task. */
export interface Admission {
  readonly limits: TaskLimits;
  readonly tellLimit: TellLimit;
}

/** What to answer where there is no place for one more task of the principal's; undefined where there is. */
export function turnedAway(
  principal: string | null,
  kept: GuestCount,
  { limits, tellLimit }: Admission,
): Failure | undefined {
  const { maxTasks, maxTasksPerPrincipal } = limits;
  // The principal's own limit first: what it says concerns the caller alone.
  if (principal !== null && kept.own >= maxTasksPerPrincipal) {
    tellLimit("maxTasksPerPrincipal", maxTasksPerPrincipal);
    return tooManyTasks(maxTasksPerPrincipal);
  }
  if (kept.all < maxTasks) return undefined;
  tellLimit("maxTasks", maxTasks);
  return noTaskMore(maxTasks);
}
