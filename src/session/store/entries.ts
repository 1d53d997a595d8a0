/**
 * The queries over a session's entries: the user's state, the journal of sticky requests, and the topics whose
 * hubs hold its name.
 * @module
 */
import type { EntryKind, SqlStore } from "./schema.ts";

/** The most bytes of one entry, its name included: a Durable Object's row holds 2 MB, with what is around them. */
export const MOST_ENTRY_BYTES = 1_900_000;

/** How much of one kind there is, in number and in bytes. */
export interface EntryTotal {
  count: number;
  bytes: number;
}

/** A session's entries, by kind and name. */
export interface EntryStore {
  entry(kind: EntryKind, name: string): string | undefined;
  entries(kind: EntryKind): { name: string; value: string }[];
  putEntry(kind: EntryKind, name: string, value: string): void;
  deleteEntry(kind: EntryKind, name: string): boolean;
  /** Bytes of an entry, its name included; undefined where there is none. */
  entrySize(kind: EntryKind, name: string): number | undefined;
  /** Number and bytes of all entries of the kind; none is read out. */
  entryTotal(kind: EntryKind): EntryTotal;
}

/** Counted where it lies: of a text SQL's own `length` counts characters. */
const ENTRY_BYTES = "length(CAST(name AS BLOB)) + length(CAST(value AS BLOB))";

const encoder = new TextEncoder();

/** Bytes of an entry as `entrySize` counts them. */
export function entryBytes(name: string, value: string): number {
  return encoder.encode(name).length + encoder.encode(value).length;
}

/** Tables of these columns. */
export type EntryTable = "entry" | "task_entry";

function queriesOf(table: EntryTable) {
  const one = "WHERE key = ? AND kind = ? AND name = ?";
  return {
    get: `SELECT value FROM ${table} ${one}`,
    all: `SELECT name, value FROM ${table} WHERE key = ? AND kind = ? ORDER BY name`,
    put: `INSERT OR REPLACE INTO ${table} (key, kind, name, value) VALUES (?, ?, ?, ?)`,
    delete: `DELETE FROM ${table} ${one} RETURNING name`,
    size: `SELECT ${ENTRY_BYTES} AS bytes FROM ${table} ${one}`,
    total: `SELECT count(*) AS count, coalesce(sum(${ENTRY_BYTES}), 0) AS bytes FROM ${table} WHERE key = ? AND kind = ?`,
  };
}

/** Written once: a statement is found again by its text. */
const QUERIES = { entry: queriesOf("entry"), task_entry: queriesOf("task_entry") };

/** @param key whose entries */
export function createEntryStore(
  sql: SqlStore,
  key: number | string,
  table: EntryTable = "entry",
): EntryStore {
  return new StoredEntries(sql, key, table);
}

/** The entries in one table. A class, for each session in memory has a store. */
export class StoredEntries<Key extends number | string> implements EntryStore {
  protected readonly sql: SqlStore;
  protected readonly key: Key;
  readonly #queries: (typeof QUERIES)[EntryTable];

  constructor(sql: SqlStore, key: Key, table: EntryTable) {
    this.sql = sql;
    this.key = key;
    this.#queries = QUERIES[table];
  }

  entry(kind: EntryKind, name: string): string | undefined {
    return this.sql.exec<{ value: string }>(this.#queries.get, this.key, kind, name)[0]?.value;
  }

  entries(kind: EntryKind): { name: string; value: string }[] {
    return this.sql.exec(this.#queries.all, this.key, kind);
  }

  putEntry(kind: EntryKind, name: string, value: string): void {
    this.sql.exec(this.#queries.put, this.key, kind, name, value);
  }

  deleteEntry(kind: EntryKind, name: string): boolean {
    return this.sql.exec(this.#queries.delete, this.key, kind, name).length > 0;
  }

  entrySize(kind: EntryKind, name: string): number | undefined {
    return this.sql.exec<{ bytes: number }>(this.#queries.size, this.key, kind, name)[0]?.bytes;
  }

  entryTotal(kind: EntryKind): EntryTotal {
    type Row = { [Name in keyof EntryTotal]: EntryTotal[Name] };
    return this.sql.exec<Row>(this.#queries.total, this.key, kind)[0] ?? { count: 0, bytes: 0 };
  }
}
