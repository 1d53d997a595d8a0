/** Sessions as their server ends them: one, or all of a principal. @module */
import type { Sessions } from "../host.ts";

/** What the host can find and end. */
export interface SessionsOptions {
  /** Ids of all sessions that the principal has. */
  readonly idsOf: (principal: string) => readonly string[];
  /** Ends the session; true where there was one. */
  readonly end: (id: string) => Promise<boolean>;
}

/** `endAll` ends all that it can, and rejects with an AggregateError where some could not be ended. */
export function createSessions({ idsOf, end }: SessionsOptions): Sessions {
  return {
    end,
    async endAll(principal) {
      let count = 0;
      const errors: unknown[] = [];
      // One after the other: they may be many more than have room in memory.
      for (const id of idsOf(principal)) {
        try {
          if (await end(id)) count += 1;
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length > 0) throw new AggregateError(errors, `${errors.length} sessions could not be ended`);
      return count;
    },
  };
}
