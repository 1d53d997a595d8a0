/** The database as one session writes to it. @module */
import type { SqlStore } from "../session/store/schema.ts";

/** A session's share of the database. */
export interface OwnStore extends SqlStore {
  /** The session is erased: nothing is written for it again. */
  end(): void;
}

/**
 * @param touch hears of all that the session does: what a server does on its own uses the session too
 * @param onError hears of what could not be read or written, which names no file to the session
 */
export function createOwnStore(
  sql: Required<SqlStore>,
  touch: () => void,
  onError: (error: unknown) => void,
): OwnStore {
  let isErased = false;
  const used = (): void => {
    if (isErased) throw new Error("The session has ended");
    touch();
  };
  return {
    exec(statement, ...bindings) {
      used();
      try {
        return sql.exec(statement, ...bindings);
      } catch (error) {
        onError(error);
        throw error;
      }
    },
    defer(statement, ...bindings) {
      used();
      sql.defer(statement, ...bindings);
    },
    transaction: (body) => sql.transaction(body),
    end: () => void (isErased = true),
  };
}
