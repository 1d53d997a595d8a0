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

/** The entries of the session under `key`. */
export function createEntryStore(sql: SqlStore, key: number): EntryStore {
  return {
    entry: (kind, name) =>
      sql.exec<{ value: string }>(
        "SELECT value FROM entry WHERE key = ? AND kind = ? AND name = ?",
        key,
        kind,
        name,
      )[0]?.value,
    entries: (kind) =>
      sql.exec<{ name: string; value: string }>(
        "SELECT name, value FROM entry WHERE key = ? AND kind = ? ORDER BY name",
        key,
        kind,
      ),
    putEntry(kind, name, value) {
      sql.exec(
        "INSERT OR REPLACE INTO entry (key, kind, name, value) VALUES (?, ?, ?, ?)",
        key,
        kind,
        name,
        value,
      );
    },
    deleteEntry: (kind, name) =>
      sql.exec<{ name: string }>(
        "DELETE FROM entry WHERE key = ? AND kind = ? AND name = ? RETURNING name",
        key,
        kind,
        name,
      ).length > 0,
    entrySize: (kind, name) =>
      sql.exec<{ bytes: number }>(
        `SELECT ${ENTRY_BYTES} AS bytes FROM entry WHERE key = ? AND kind = ? AND name = ?`,
        key,
        kind,
        name,
      )[0]?.bytes,
    entryTotal: (kind) =>
      sql.exec<{ [Name in keyof EntryTotal]: EntryTotal[Name] }>(
        `SELECT count(*) AS count, coalesce(sum(${ENTRY_BYTES}), 0) AS bytes FROM entry WHERE key = ? AND kind = ?`,
        key,
        kind,
      )[0] ?? { count: 0, bytes: 0 },
  };
}
