/** The database as one session writes to it. @module */
import type { SqlStore } from "../session/schema.ts";

export interface OwnStore extends SqlStore {
  /** The session is erased: nothing is written for it again. */
  end(): void;
}

/** @param touch hears of all that the session does: what a server does on its own uses the session too */
export function createOwnStore(sql: Required<SqlStore>, touch: () => void): OwnStore {
  let isErased = false;
  const used = (): void => {
    if (isErased) throw new Error("The session has ended");
    touch();
  };
  return {
    exec(statement, ...bindings) {
      used();
      return sql.exec(statement, ...bindings);
    },
    defer(statement, ...bindings) {
      used();
      sql.defer(statement, ...bindings);
    },
    transaction: (body) => sql.transaction(body),
    end: () => void (isErased = true),
  };
}
