/**
 * The sessions of all processes from the server's side: listed as they are stored, shown and ended by whichever process
 * has them. One that nobody has is taken to be looked at, and let go of again; it is not used by that.
 * @module
 */
import { type ListedRow, summaryOf } from "../session/inspect.ts";
import { badCursor, pageSize, type SessionDetail, type Sessions } from "../sessions.ts";
import type { Engine } from "./engine.ts";

/** How sessions are reached. */
export interface ClusterSessionsOptions {
  readonly engine: Pick<Engine, "list" | "sessionsOf">;
  /** False for an id that this cluster has not issued. */
  readonly isOwn: (id: string) => boolean;
  /** Ends what a principal has under way outside of any session, in all processes. */
  readonly shutOut: (principal: string) => Promise<void>;
  readonly inspect: (id: string) => Promise<SessionDetail | undefined>;
  readonly terminate: (id: string) => Promise<boolean>;
}

/** How many are ended side by side. */
const AT_ONCE = 6;

/** The order of a list means nothing. `endAll` ends all that it can, and rejects with an AggregateError where some could not be. */
export function clusterSessions(options: ClusterSessionsOptions): Sessions {
  const { engine, isOwn } = options;
  const end = async (id: string): Promise<boolean> => isOwn(id) && (await options.terminate(id));
  return {
    end,
    get: async (id) => (isOwn(id) ? options.inspect(id) : undefined),
    async list(query = {}) {
      const limit = pageSize(query);
      const { principal, cursor: after = "" } = query;
      if (after !== "" && !isOwn(after)) throw badCursor();
      const found = await engine.list({ principal, after, limit: limit + 1 });
      const page = found.slice(0, limit);
      return {
        sessions: page.map(({ data, address }) => ({
          ...summaryOf(JSON.parse(data) as ListedRow),
          process: address ?? undefined,
        })),
        nextCursor: found.length > limit ? page.at(-1)?.id : undefined,
      };
    },
    async endAll(principal) {
      let count = 0;
      const failures: unknown[] = [];
      // Begun first, so that what comes back at once is judged anew.
      const told = options.shutOut(principal).catch((error: unknown) => void failures.push(error));
      const left = await engine.sessionsOf(principal);
      const work = async (): Promise<void> => {
        for (let id = left.pop(); id !== undefined; id = left.pop()) {
          try {
            if (await end(id)) count += 1;
          } catch (error) {
            failures.push(error);
          }
        }
      };
      await Promise.all([told, ...Array.from({ length: AT_ONCE }, work)]);
      if (failures.length > 0)
        throw new AggregateError(failures, `not all could be ended: ${failures.length} failures`);
      return count;
    },
  };
}
