/** A session's store in memory, over the real SQLite, that counts the statements it is given. @module */
import { onTestFinished } from "vitest";
import { openSqlite } from "../../src/local/sqlite.ts";
import { createSchema, type SqlStore } from "../../src/session/store/schema.ts";
import { createSessionStore, type SessionStore } from "../../src/session/store/store.ts";

export interface CountedStore {
  readonly store: SessionStore;
  readonly sql: SqlStore;
  /** The statements that `act` leads to. */
  during(act: () => void): string[];
}

export function countedStore(): CountedStore {
  const sqlite = openSqlite(":memory:");
  onTestFinished(() => sqlite.close());
  createSchema(sqlite);
  const statements: string[] = [];
  const sql: SqlStore = {
    exec(statement, ...bindings) {
      statements.push(statement);
      return sqlite.exec(statement, ...bindings);
    },
    transaction: (body) => sqlite.transaction(body),
  };
  return {
    store: createSessionStore(sql, 1),
    sql,
    during(act) {
      const before = statements.length;
      act();
      return statements.slice(before);
    },
  };
}

/** Of these statements, those that read the events' table, but for one row of it. */
export function readsOfLog(statements: readonly string[]): string[] {
  return statements.filter(
    (statement) => /^\s*SELECT[^;]*\bevent\b/.test(statement) && !statement.endsWith("LIMIT 1"),
  );
}
