/**
 * One transaction for what one turn of the event loop sends: a commit costs as much as several inserts.
 * Only what says so (`defer`) waits for the end of the turn, and nothing that it stores may be seen outside
 * before (`settled`). Any other write first ends the transaction that is open, so that it succeeds or fails
 * by itself.
 * @module
 */
import { setImmediate } from "node:timers";
import type { SqlStore } from "../session/store/schema.ts";
import type { Sqlite } from "./sqlite.ts";

/** The database, with writes that wait for the end of the turn. */
export interface Turns extends Required<SqlStore> {
  /** Runs `action` once what was deferred until now is stored, or could not be; at once where nothing waits. */
  settled(action: (isStored: boolean) => void): void;
  close(): void;
}

/** @param onError hears that what one turn has deferred could not be stored: it is lost, as if never sent */
export function createTurns(sqlite: Sqlite, onError: (error: unknown) => void): Turns {
  let isOpen = false;
  let isInTransaction = false;
  let waiting: ((isStored: boolean) => void)[] = [];

  const settle = (isStored: boolean): void => {
    isOpen = false;
    const actions = waiting;
    waiting = [];
    for (const action of actions) {
      try {
        action(isStored);
      } catch (error) {
        // Whose turn it is has nothing to do with it.
        onError(error);
      }
    }
  };

  const fail = (error: unknown): void => {
    try {
      sqlite.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself, as it does where the disk is full.
    }
    onError(error);
    settle(false);
  };

  const flush = (): void => {
    if (!isOpen) return;
    try {
      sqlite.exec("COMMIT");
    } catch (error) {
      return fail(error);
    }
    settle(true);
  };

  return {
    exec(statement, ...bindings) {
      if (isOpen && !statement.startsWith("SELECT")) flush();
      return sqlite.exec(statement, ...bindings);
    },
    defer(statement, ...bindings) {
      if (isInTransaction) return void sqlite.exec(statement, ...bindings);
      if (!isOpen) {
        sqlite.exec("BEGIN IMMEDIATE");
        isOpen = true;
        setImmediate(flush);
      }
      try {
        sqlite.exec(statement, ...bindings);
      } catch (error) {
        fail(error);
        throw error;
      }
    },
    transaction(body) {
      if (isInTransaction) return sqlite.transaction(body);
      flush();
      isInTransaction = true;
      try {
        return sqlite.transaction(body);
      } finally {
        isInTransaction = false;
      }
    },
    settled(action) {
      if (isOpen) waiting.push(action);
      else action(true);
    },
    close() {
      flush();
      sqlite.close();
    },
  };
}
