/**
 * A user's state as SQL: one row a name, with the number of its last writing. One set of queries for a Durable Object
 * that holds one user, and a local file that holds many. Nothing is created before the first write.
 * @module
 */
import type { SqlStore } from "../session/store/schema.ts";

/** What is asked of a user's state. */
export type UserRequest =
  | { readonly op: "get"; readonly name: string }
  | { readonly op: "keys" }
  | { readonly op: "delete"; readonly name: string }
  | {
      readonly op: "put";
      readonly name: string;
      /** The value as JSON. */
      readonly value: string;
      /** Put only where this is the number of the last writing; undefined puts whatever is there. */
      readonly ifVersion?: number | undefined;
    }
  | { readonly op: "erase" };

/** A value and the number of its writing; 0 for a name that is not there. */
export interface Versioned {
  readonly value: string | null;
  readonly version: number;
}

/** What became of it. `full` says how many bytes there would be, and stored nothing. */
export type UserReply =
  | { readonly kind: "value"; readonly found: Versioned }
  | { readonly kind: "keys"; readonly keys: readonly string[] }
  | { readonly kind: "done"; readonly changed: boolean }
  | { readonly kind: "stored"; readonly version: number }
  /** Somebody else has written since; this is what is there now. */
  | { readonly kind: "lost"; readonly found: Versioned }
  | { readonly kind: "full"; readonly bytes: number };

const SCHEMA = `CREATE TABLE IF NOT EXISTS user_state (owner TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
  size INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (owner, name)) WITHOUT ROWID`;

const encoder = new TextEncoder();

/** Whose state it is, and what it may have. */
export interface UserOwner {
  /** Its name, where the store holds many. */
  readonly owner: string;
  /** Most bytes of one user's state, names and values as UTF-8. */
  readonly maxBytes: number;
}

/** Answers one request; each is one unit. Throws where SQLite does (a full disk). */
export function answerUserRequest(sql: SqlStore, request: UserRequest, of: UserOwner): UserReply {
  const { owner } = of;
  const { op } = request;
  if (op === "put") return sql.transaction(() => put(sql, request, of));
  if (op === "get") return { kind: "value", found: find(sql, owner, request.name) };
  if (op === "keys") {
    if (!hasTable(sql)) return { kind: "keys", keys: [] };
    const rows = sql.exec<{ name: string }>(
      "SELECT name FROM user_state WHERE owner = ? ORDER BY name",
      owner,
    );
    return { kind: "keys", keys: rows.map(({ name }) => name) };
  }
  if (!hasTable(sql)) return { kind: "done", changed: false };
  sums.get(sql)?.delete(owner);
  const gone =
    op === "erase"
      ? sql.exec("DELETE FROM user_state WHERE owner = ? RETURNING name", owner)
      : sql.exec("DELETE FROM user_state WHERE owner = ? AND name = ? RETURNING name", owner, request.name);
  return { kind: "done", changed: gone.length > 0 };
}

function find(sql: SqlStore, owner: string, name: string): Versioned {
  const nothing = { value: null, version: 0 };
  if (!hasTable(sql)) return nothing;
  const [row] = sql.exec<{ value: string; version: number }>(
    "SELECT value, version FROM user_state WHERE owner = ? AND name = ?",
    owner,
    name,
  );
  return row ?? nothing;
}

function put(
  sql: SqlStore,
  { name, value, ifVersion }: Extract<UserRequest, { op: "put" }>,
  { owner, maxBytes }: UserOwner,
): UserReply {
  const found = find(sql, owner, name);
  if (ifVersion !== undefined && found.version !== ifVersion) return { kind: "lost", found };
  if (!hasTable(sql)) sql.exec(SCHEMA);
  const size = encoder.encode(name + value).length;
  const bytes = heldBy(sql, owner) - sizeOf(sql, owner, name) + size;
  if (bytes > maxBytes) return { kind: "full", bytes };
  // Until it is written nothing is known: where that fails, it is counted again.
  const kept = sums.get(sql);
  kept?.delete(owner);
  const version = newVersion();
  sql.exec(
    "INSERT OR REPLACE INTO user_state (owner, name, version, size, value) VALUES (?, ?, ?, ?, ?)",
    owner,
    name,
    version,
    size,
    value,
  );
  if (kept !== undefined && kept.size < MOST_SUMS) kept.set(owner, bytes);
  return { kind: "stored", version };
}

/** What each owner's state has, by store: counted once, where it is put to again and again. Deletions have it counted anew. */
const sums = new WeakMap<SqlStore, Map<string, number>>();
const MOST_SUMS = 1000;

function heldBy(sql: SqlStore, owner: string): number {
  let kept = sums.get(sql);
  if (kept === undefined || kept.size >= MOST_SUMS) sums.set(sql, (kept = new Map()));
  const known = kept.get(owner);
  if (known !== undefined) return known;
  const [row] = sql.exec<{ bytes: number }>(
    "SELECT coalesce(sum(size), 0) AS bytes FROM user_state WHERE owner = ?",
    owner,
  );
  return row?.bytes ?? 0;
}

function sizeOf(sql: SqlStore, owner: string, name: string): number {
  const [row] = sql.exec<{ size: number }>(
    "SELECT size FROM user_state WHERE owner = ? AND name = ?",
    owner,
    name,
  );
  return row?.size ?? 0;
}

/**
 * Never the number of an earlier writing, not even of a name that was deleted in between: drawn at random, since a
 * count would begin anew after a deletion, and a clock can be set back, or be outrun by many writings.
 */
function newVersion(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  // Up to 2^53 - 1, and never 0, which says that nothing is there.
  return (high & 0x1f_ffff) * 0x1_0000_0000 + low || 1;
}

function hasTable(sql: SqlStore): boolean {
  return (
    sql.exec("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'user_state'").length > 0
  );
}
