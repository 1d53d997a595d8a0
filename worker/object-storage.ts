/** An object's storage as sessions and guests take it: SQL, and one alarm. @module */
import type { EventSink } from "../src/events.ts";
import type { Refusal } from "../src/host.ts";
import { misconfigured } from "../src/jsonrpc/failures.ts";
import type { Alarm } from "../src/session/deadlines.ts";
import type { SqlStore, SqlValue } from "../src/session/store/schema.ts";

/** The object's one alarm. */
export function alarmOf(storage: DurableObjectStorage): Alarm {
  return {
    get: async () => (await storage.getAlarm()) ?? undefined,
    set: (at) => storage.setAlarm(at),
    clear: () => storage.deleteAlarm(),
  };
}

/** The object's SQLite. */
export function sqlStore(storage: DurableObjectStorage): SqlStore {
  return {
    exec: <Row extends Record<string, SqlValue>>(sql: string, ...bindings: SqlValue[]) =>
      storage.sql.exec<Row>(sql, ...bindings).toArray(),
    transaction: (body) => storage.transactionSync(body),
  };
}

/** The reply where the class was bound without SQLite, which cannot be put right by trying again. */
const WITHOUT_SQL: Refusal = {
  kind: "refused",
  failure: misconfigured(
    "the Durable Object class has no SQLite storage: it needs a migration that names it in new_sqlite_classes",
  ),
};

/**
 * The reply where the class has no migration, or one that gives it no SQLite: told once an isolate, in the runtime's own
 * words. Seen as the session is read: to ask each object that wakes would cost those that have it.
 *
 * What it returns throws whatever else the error is.
 */
export function createWithoutSql(emit: EventSink): (error: unknown) => Refusal {
  let isTold = false;
  return (error) => {
    if (!(error instanceof Error) || !error.message.startsWith("SQL is not enabled")) throw error;
    if (!isTold) emit("setup.error", { message: error.message });
    isTold = true;
    return WITHOUT_SQL;
  };
}
