/**
 * The working copy: the rows of the sessions that this process has, in one SQLite database in memory, with the schema
 * and the queries that sessions have everywhere. What a turn touches there is what a flush stores.
 * @module
 */
import { createSchema, SCHEMA_VERSION, type SqlStore, type SqlValue } from "../session/store/schema.ts";
import { openSqlite } from "../local/sqlite.ts";
import type { StoredRow } from "./engine.ts";
import { digestOf } from "./seal.ts";
import { touchedRows } from "./touched.ts";

/** A row that has changed; without `data` it is gone. */
export interface ChangedRow {
  readonly key: number;
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
  /** Sessions whose head may have changed. */
  readonly heads: ReadonlySet<number>;
}

/** The rows of all sessions that this process has. */
export interface WorkingCopy {
  readonly sql: SqlStore;
  /** Takes in what is stored of a session: no change. */
  load(key: number, rows: readonly StoredRow[], alarm: number | null): void;
  /** Forgets a session: no change either. */
  drop(key: number): void;
  /** What has changed since the last time, as it is now. */
  take(): Changed;
  head(key: number): LocalHead;
  close(): void;
}

/** The status of an id of which nothing is stored. */
export const VACANT = "vacant";

const ROWS = ["session", "stream", "event", "entry"];
const ALARM = "alarm";
/** Longest key that stands for itself: an index of Postgres takes no more than 2.7 kB. */
const LONGEST_PK = 512;

/** The key of a row as it is stored: a long one by its digest, which begins as no other does. */
export function pkOf(values: readonly SqlValue[]): string {
  const pk = JSON.stringify(values);
  return pk.length > LONGEST_PK ? `${String(values[0])}#${digestOf(pk)}` : pk;
}

/** An empty one. */
export function openCopy(): WorkingCopy {
  const sqlite = openSqlite(":memory:");
  createSchema(sqlite);
  sqlite.exec("CREATE TABLE alarm (key INTEGER PRIMARY KEY, at INTEGER NOT NULL)");
  sqlite.exec("CREATE INDEX alarm_at ON alarm (at)");
  sqlite.exec("CREATE INDEX session_id ON session (id)");
  const tables = [...ROWS, ALARM];
  const columns = new Map(tables.map((table) => [table, columnsOf(sqlite, table)]));
  const select = new Map(
    tables.map((table) => {
      const key = columns.get(table)?.key ?? [];
      return [table, `SELECT * FROM ${table} WHERE ${key.map((name) => `${name} = ?`).join(" AND ")}`];
    }),
  );
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
    load(key, rows, alarm) {
      aside(() =>
        sqlite.transaction(() => {
          for (const { table, data } of rows) {
            const known = columns.get(table)?.all;
            if (known === undefined) continue;
            const stored = JSON.parse(data) as Record<string, SqlValue>;
            // What an earlier version stored lacks what has come since, which has its default.
            if (table === "session") stored["schema"] = SCHEMA_VERSION;
            const names = Object.keys(stored).filter((name) => known.includes(name));
            sqlite.exec(
              `INSERT OR REPLACE INTO ${table} (key, ${names.join()}) VALUES (?${", ?".repeat(names.length)})`,
              key,
              ...names.map((name) => stored[name] ?? null),
            );
          }
          if (alarm !== null) sqlite.exec("INSERT OR REPLACE INTO alarm (key, at) VALUES (?, ?)", key, alarm);
        }),
      );
    },
    drop(key) {
      aside(() => {
        for (const table of tables) sqlite.exec(`DELETE FROM ${table} WHERE key = ?`, key);
      });
    },
    take() {
      aside(() => {});
      const rows: ChangedRow[] = [];
      const heads = new Set<number>();
      for (const { table, pk } of touched.values()) {
        const [first, ...rest] = pk;
        const key = Number(first);
        if (table === ALARM || table === "session") heads.add(key);
        if (table === ALARM) continue;
        const [found] = sqlite.exec<Record<string, SqlValue>>(select.get(table) ?? "", ...pk);
        if (found !== undefined) delete found["key"];
        rows.push({ key, table, pk: pkOf(rest), data: found && JSON.stringify(found) });
      }
      touched = new Map();
      return { rows, heads };
    },
    head(key) {
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
