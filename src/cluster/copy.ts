/**
 * The working copy: the rows of the sessions that this process has, in one SQLite database in memory, with the schema
 * and the queries that sessions have everywhere. What a turn touches there is what a flush stores.
 * @module
 */
import type { GuestKind } from "../guest.ts";
import { GUEST_ALARMS } from "../local/guests.ts";
import { createSchema, SCHEMA_VERSION, type SqlStore, type SqlValue } from "../session/store/schema.ts";
import { openSqlite } from "../local/sqlite.ts";
import type { StoredRow } from "./engine.ts";
import { digestOf } from "./seal.ts";
import { touchedRows } from "./touched.ts";

/** Whose rows they are: in the working copy a session's stand under its key, a guest's under its id. */
export interface Holder {
  readonly id: string;
  readonly key: number;
  readonly isGuest: boolean;
}

/** A row that has changed; without `data` it is gone. */
export interface ChangedRow {
  /** A session's key, or a guest's id. */
  readonly key: number | string;
  readonly table: string;
  readonly pk: string;
  readonly data: string | undefined;
}

/** What the shared database has of a session beside its rows. */
export interface LocalHead {
  readonly status: string;
  readonly principal: string | null;
  readonly alarm: number | null;
}

/** What has changed in the working copy. */
export interface Changed {
  readonly rows: readonly ChangedRow[];
  /** Those whose head may have changed. */
  readonly heads: ReadonlySet<number | string>;
}

/** The rows of all sessions, and all guests, that this process has. */
export interface WorkingCopy {
  readonly sql: SqlStore;
  /** Takes in what is stored of one: no change. */
  load(of: Holder, rows: readonly StoredRow[], alarm: number | null): void;
  /** Forgets one: no change either. */
  drop(of: Holder): void;
  /** What has changed since the last time, as it is now. */
  take(): Changed;
  head(of: Holder): LocalHead;
  close(): void;
}

/** The status of an id of which nothing is stored. */
export const VACANT = "vacant";
/** That of what is no session. */
export const GUEST = "guest";

const ROWS = ["session", "stream", "event", "entry"];
const ALARM = "alarm";
const GUEST_ALARM = "guest_alarm";
/** Longest key that stands for itself: an index of Postgres takes no more than 2.7 kB. */
const LONGEST_PK = 512;

/** The key of a row as it is stored: a long one by its digest, which begins as no other does. */
export function pkOf(values: readonly SqlValue[]): string {
  const pk = JSON.stringify(values);
  return pk.length > LONGEST_PK ? `${String(values[0])}#${digestOf(pk)}` : pk;
}

/** An empty one. @param guests the kind that there is, if any */
export function openCopy(guests?: GuestKind): WorkingCopy {
  const sqlite = openSqlite(":memory:");
  createSchema(sqlite);
  sqlite.exec("CREATE TABLE alarm (key INTEGER PRIMARY KEY, at INTEGER NOT NULL)");
  sqlite.exec("CREATE INDEX alarm_at ON alarm (at)");
  sqlite.exec("CREATE INDEX session_id ON session (id)");
  for (const statement of guests === undefined ? [] : [...GUEST_ALARMS, ...guests.schema])
    sqlite.exec(statement);
  const all = sqlite.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'");
  const guestTables = all.map(({ name }) => name).filter((name) => name !== ALARM && !ROWS.includes(name));
  const sessionTables = [...ROWS, ALARM];
  const tables = [...sessionTables, ...guestTables];
  const columns = new Map(tables.map((table) => [table, columnsOf(sqlite, table)]));
  const select = new Map(
    tables.map((table) => {
      const key = columns.get(table)?.key ?? [];
      return [table, `SELECT * FROM ${table} WHERE ${key.map((name) => `${name} = ?`).join(" AND ")}`];
    }),
  );
  /** The column that says whose a row is. */
  const holderIn = (table: string): string => columns.get(table)?.key[0] ?? "key";
  let tracker = sqlite.track();
  /** Touched and not taken yet, by table and key. */
  let touched = new Map<string, { table: string; pk: readonly SqlValue[] }>();

  /** Ends what is being noted, and begins anew after `body`, of which nothing is. */
  const aside = (body: () => void): void => {
    for (const row of touchedRows(tracker.patchset()))
      touched.set(`${row.table} ${JSON.stringify(row.pk)}`, row);
    tracker.end();
    try {
      body();
    } finally {
      tracker = sqlite.track();
    }
  };

  return {
    sql: sqlite,
    load({ id, key, isGuest }, rows, alarm) {
      const holder = isGuest ? id : key;
      aside(() =>
        sqlite.transaction(() => {
          for (const { table, data } of rows) {
            const known = columns.get(table)?.all;
            if (known === undefined || guestTables.includes(table) !== isGuest) continue;
            const stored = JSON.parse(data) as Record<string, SqlValue>;
            // What an earlier version stored lacks what has come since, which has its default.
            if (table === "session") stored["schema"] = SCHEMA_VERSION;
            const names = Object.keys(stored).filter((name) => known.includes(name));
            sqlite.exec(
              `INSERT OR REPLACE INTO ${table} (${[holderIn(table), ...names].join()}) VALUES (?${", ?".repeat(names.length)})`,
              holder,
              ...names.map((name) => stored[name] ?? null),
            );
          }
          if (alarm === null) return;
          const into = isGuest ? "guest_alarm (id, at)" : "alarm (key, at)";
          sqlite.exec(`INSERT OR REPLACE INTO ${into} VALUES (?, ?)`, holder, alarm);
        }),
      );
    },
    drop({ id, key, isGuest }) {
      aside(() => {
        for (const table of isGuest ? guestTables : sessionTables)
          sqlite.exec(`DELETE FROM ${table} WHERE ${holderIn(table)} = ?`, isGuest ? id : key);
      });
    },
    take() {
      aside(() => {});
      const rows: ChangedRow[] = [];
      const heads = new Set<number | string>();
      for (const { table, pk } of touched.values()) {
        const [first, ...rest] = pk;
        const isGuest = guestTables.includes(table);
        const key = isGuest ? String(first) : Number(first);
        // Of a guest the row whose key is its id alone: it is there as long as the guest is.
        if (rest.length === 0) heads.add(key);
        if (table === ALARM || table === GUEST_ALARM) continue;
        const [found] = sqlite.exec<Record<string, SqlValue>>(select.get(table) ?? "", ...pk);
        if (found !== undefined) delete found[holderIn(table)];
        rows.push({ key, table, pk: pkOf(rest), data: found && JSON.stringify(found) });
      }
      touched = new Map();
      return { rows, heads };
    },
    head({ id, key, isGuest }) {
      if (isGuest) {
        if (guests?.isAt(sqlite, id) !== true) return { status: VACANT, principal: null, alarm: null };
        const [alarm] = sqlite.exec<{ at: number }>("SELECT at FROM guest_alarm WHERE id = ?", id);
        // One whose owner dies before its first alarm is set is looked at by the next, and must not stay for ever.
        return { status: GUEST, principal: guests.principalAt(sqlite, id), alarm: alarm?.at ?? 0 };
      }
      const [row] = sqlite.exec<{ status: string; principal: string | null }>(
        "SELECT status, principal FROM session WHERE key = ?",
        key,
      );
      const [alarm] = sqlite.exec<{ at: number }>("SELECT at FROM alarm WHERE key = ?", key);
      return { status: row?.status ?? VACANT, principal: row?.principal ?? null, alarm: alarm?.at ?? null };
    },
    close: () => sqlite.close(),
  };
}

function columnsOf(sql: SqlStore, table: string): { all: string[]; key: string[] } {
  const rows = sql.exec<{ name: string; pk: number }>("SELECT name, pk FROM pragma_table_info(?)", table);
  const key = rows.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
  return { all: rows.map(({ name }) => name), key: key.map(({ name }) => name) };
}
