/**
 * What the hub keeps: the last changes, so that a link that broke misses nothing, and which sessions
 * want to be told of what. One row a publication; nothing at all once nobody is interested.
 * @module
 */
import type { Change } from "../src/changes.ts";

/** Changes that are held at least; up to twice as many before the oldest go. */
export const RING = 1024;
/** How long a change is held: links are dialled again within seconds. */
export const RING_TTL_MS = 600_000;
/** Names of changes, over all sessions, that one hub remembers. */
const MAX_WATCHES = 10_000;

export interface Ring {
  /** Number of the last change. Numbers start at the clock, so they go up even where a hub begins anew. */
  readonly last: number;
  /** Up to which change sessions have been told. */
  readonly told: number;
  /** Stores a publication and numbers its changes; false for one that is stored already. */
  append(id: string, changes: readonly Change[], again: boolean): boolean;
  /** The changes after this number that are still held. */
  after(seq: number): Change[];
  /** Sessions have been told everything up to this number. */
  tell(seq: number): void;
  /** Drops what is too old. Returns when to look again, or undefined where only a number is left. */
  age(): number | undefined;
  /** False where the hub remembers as many names as it may. */
  watch(session: string, names: readonly string[]): boolean;
  unwatch(session: string, names?: readonly string[]): void;
  watchers(name: string): string[];
  /** True while some session wants to be told of something. */
  isWatched(): boolean;
}

export function openRing(storage: DurableObjectStorage): Ring {
  const { sql } = storage;
  sql.exec(
    `CREATE TABLE IF NOT EXISTS publication (last INTEGER PRIMARY KEY, size INTEGER NOT NULL, at INTEGER NOT NULL,
      id TEXT NOT NULL, changes TEXT NOT NULL)`,
  );
  sql.exec(
    `CREATE TABLE IF NOT EXISTS watch (name TEXT NOT NULL, session TEXT NOT NULL, PRIMARY KEY (name, session))
      WITHOUT ROWID`,
  );
  sql.exec("CREATE TABLE IF NOT EXISTS told (one INTEGER PRIMARY KEY, seq INTEGER NOT NULL)");

  const extent = sql
    .exec<{ last: number | null; oldest: number | null }>(
      "SELECT max(last) AS last, min(last - size) AS oldest FROM publication",
    )
    .one();
  let last = extent.last ?? Date.now();
  let before = extent.oldest ?? last;
  if (extent.last === null) {
    // Kept before anyone hears of it: a link must find the number again that it was told.
    sql.exec("INSERT INTO publication (last, size, at, id, changes) VALUES (?, 0, ?, '', '[]')", last, last);
  }
  let watches = sql.exec<{ count: number }>("SELECT count(*) AS count FROM watch").one().count;
  let told =
    watches === 0 ? last : (sql.exec<{ seq: number }>("SELECT seq FROM told").toArray()[0]?.seq ?? last);

  const keepTold = (seq: number): void => {
    told = seq;
    sql.exec("INSERT OR REPLACE INTO told (one, seq) VALUES (1, ?)", seq);
  };

  return {
    get last() {
      return last;
    },
    get told() {
      return told;
    },
    append(id, changes, again) {
      if (again && sql.exec("SELECT 1 FROM publication WHERE id = ?", id).toArray().length > 0) return false;
      const next = last + changes.length;
      storage.transactionSync(() => {
        sql.exec(
          "INSERT INTO publication (last, size, at, id, changes) VALUES (?, ?, ?, ?, ?)",
          next,
          changes.length,
          Date.now(),
          id,
          JSON.stringify(changes),
        );
        // In strides: one deletion serves many publications.
        if (next - before > 2 * RING) {
          sql.exec("DELETE FROM publication WHERE last <= ?", next - RING);
          before = next - RING;
        }
      });
      last = next;
      return true;
    },
    after(seq) {
      if (seq >= last) return [];
      const rows = sql.exec<{ last: number; size: number; changes: string }>(
        "SELECT last, size, changes FROM publication WHERE last > ? ORDER BY last",
        seq,
      );
      return rows.toArray().flatMap((row) => {
        const changes = JSON.parse(row.changes) as Change[];
        return changes.slice(Math.max(0, seq - (row.last - row.size)));
      });
    },
    tell(seq) {
      if (watches === 0) told = seq;
      else keepTold(seq);
    },
    age() {
      // The newest stays: it keeps the numbers going up without a gap.
      sql.exec("DELETE FROM publication WHERE at < ? AND last < ?", Date.now() - RING_TTL_MS, last);
      const { oldest, count } = sql
        .exec<{ oldest: number | null; count: number }>(
          "SELECT min(at) AS oldest, count(*) AS count FROM publication",
        )
        .one();
      const isSettled = oldest === null || (count === 1 && oldest < Date.now() - RING_TTL_MS);
      return isSettled ? undefined : oldest + RING_TTL_MS + 1;
    },
    watch(session, names) {
      if (watches + names.length > MAX_WATCHES) return false;
      if (watches === 0) keepTold(last);
      for (const name of names) {
        watches += sql
          .exec("INSERT OR IGNORE INTO watch (name, session) VALUES (?, ?) RETURNING 1", name, session)
          .toArray().length;
      }
      return true;
    },
    unwatch(session, names) {
      const gone =
        names === undefined
          ? [sql.exec("DELETE FROM watch WHERE session = ? RETURNING 1", session)]
          : names.map((name) =>
              sql.exec("DELETE FROM watch WHERE name = ? AND session = ? RETURNING 1", name, session),
            );
      for (const rows of gone) watches -= rows.toArray().length;
    },
    watchers: (name) =>
      sql
        .exec<{ session: string }>("SELECT session FROM watch WHERE name = ?", name)
        .toArray()
        .map((row) => row.session),
    isWatched: () => watches > 0,
  };
}
