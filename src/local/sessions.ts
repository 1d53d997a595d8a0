/**
 * The sessions of this process from the server's side: listed as they are stored, shown with what is in memory
 * of them, ended. None is taken into memory to be looked at.
 * @module
 */
import type { EndingRegister } from "../endings.ts";
import { inspect, type ListedRow, summaryOf } from "../session/inspect.ts";
import type { Session } from "../session/contract.ts";
import type { SqlStore } from "../session/store/schema.ts";
import { createSessionStore } from "../session/store/store.ts";
import { badCursor, pageSize, type SessionLogs, type Sessions } from "../sessions.ts";

/** What of the host is listed, shown and ended. */
export interface LocalSessionsOptions {
  readonly sql: SqlStore;
  readonly endings: EndingRegister;
  readonly keyOf: (id: string) => number | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly alarmOf: (key: number) => number | undefined | Promise<number | undefined>;
  /** The session, where it is in memory. */
  readonly peek: (id: string) => Session | undefined;
  /** See `Session.terminate`. */
  readonly terminate: (id: string, key: number) => Promise<boolean>;
  readonly isClosing: () => boolean;
  /** See `SessionHost.keepLogs`. */
  readonly logs: () => SessionLogs | undefined;
}

/** All methods reject once the host closes; `endAll` ends all that it can, and rejects with an AggregateError where some could not be. */
export function localSessions(options: LocalSessionsOptions): Sessions {
  const { sql, keyOf } = options;
  const open = (): void => {
    if (options.isClosing()) throw new Error("The host is closed");
  };

  const sessions: Sessions = {
    async list(query = {}) {
      open();
      const limit = pageSize(query);
      const { principal, cursor } = query;
      if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) throw badCursor();
      // Numbers are given out in order: the newest come first, and what comes meanwhile moves no page.
      const rows = sql.exec<{ [Name in keyof ListedRow]: ListedRow[Name] } & { key: number }>(
        `SELECT key, id, principal, kind, version, initialize, created, seen, status FROM session
          WHERE status <> 'ended' AND key < ?1 ${principal === undefined ? "" : "AND principal = ?3"}
          ORDER BY key DESC LIMIT ?2`,
        cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor),
        limit + 1,
        ...(principal === undefined ? [] : [principal]),
      );
      const page = rows.slice(0, limit);
      const nextCursor = rows.length > limit ? String(page.at(-1)?.key) : undefined;
      return { sessions: page.map(summaryOf), nextCursor };
    },
    async get(id) {
      open();
      const key = keyOf(id);
      if (key === undefined) return undefined;
      const alarm = await options.alarmOf(key);
      const store = createSessionStore(sql, key);
      const now = options.now();
      return inspect({ store, inMemory: options.peek(id)?.inMemory(), alarm, logs: options.logs(), now });
    },
    async end(id) {
      open();
      const key = keyOf(id);
      return key !== undefined && options.terminate(id, key);
    },
    async endAll(principal) {
      options.endings.end(principal);
      const ids = sql.exec<{ id: string }>("SELECT id FROM session WHERE principal = ?", principal);
      let count = 0;
      const errors: unknown[] = [];
      // One after the other: they may be many more than have room in memory.
      for (const { id } of ids) {
        try {
          if (await sessions.end(id)) count += 1;
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length > 0) throw new AggregateError(errors, `${errors.length} sessions could not be ended`);
      return count;
    },
  };
  return sessions;
}
