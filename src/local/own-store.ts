/** The database as one session writes to it. @module */
import type { SqlStore, SqlValue } from "../session/store/schema.ts";

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
  return new Share(sql, touch, onError);
}

class Share implements OwnStore {
  readonly #sql: Required<SqlStore>;
  readonly #touch: () => void;
  readonly #onError: (error: unknown) => void;
  #isErased = false;

  constructor(sql: Required<SqlStore>, touch: () => void, onError: (error: unknown) => void) {
    this.#sql = sql;
    this.#touch = touch;
    this.#onError = onError;
  }

  exec<Row extends Record<string, SqlValue>>(statement: string, ...bindings: SqlValue[]): Row[] {
    this.#used();
    try {
      return this.#sql.exec(statement, ...bindings);
    } catch (error) {
      this.#onError(error);
      throw error;
    }
  }

  defer(statement: string, ...bindings: SqlValue[]): void {
    this.#used();
    this.#sql.defer(statement, ...bindings);
  }

  transaction<T>(body: () => T): T {
    return this.#sql.transaction(body);
  }

  end(): void {
    this.#isErased = true;
  }

  #used(): void {
    if (this.#isErased) throw new Error("The session has ended");
    this.#touch();
  }
}
