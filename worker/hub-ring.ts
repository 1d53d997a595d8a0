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
/** Size of all that one hub keeps above which it takes no more names: some four million of them. An object may hold ten times as much. */
const MOST_BYTES = 1_073_741_824;
/** Sessions whose number of names is known without counting, before some are forgotten. */
const MANY = 1000;

/** What one hub's object has stored. */
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
  /** False where the hub remembers as many names as it may, of the session or in all: then it takes none of these. */
  watch(session: string, names: readonly string[]): boolean;
  unwatch(session: string, names?: readonly string[]): void;
  watchers(name: string): string[];
  /** True while some session wants to be told of something. */
  isWatched(): boolean;
}

/** How much one hub remembers. */
export interface RingLimits {
  /** Names of one session. */
  readonly namesEach: number;
  /** Size of the storage. */
  readonly bytes?: number;
}

/** Creates the tables where they are missing. */
export function openRing(storage: DurableObjectStorage, { namesEach, bytes = MOST_BYTES }: RingLimits): Ring {
  const { sql } = storage;
  sql.exec(
    `CREATE TABLE IF NOT EXISTS publication (last INTEGER PRIMARY KEY, size INTEGER NOT NULL, at INTEGER NOT NULL,
      id TEXT NOT NULL, changes TEXT NOT NULL)`,
  );
  sql.exec(
    `CREATE TABLE IF NOT EXISTS watch (name TEXT NOT NULL, session TEXT NOT NULL, PRIMARY KEY (name, session))
      WITHOUT ROWID`,
  );
  // A session's names are counted and forgotten without reading those of all others: worth a row more for each.
  sql.exec("CREATE INDEX IF NOT EXISTS watch_session ON watch (session)");
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
  const findWatched = (): boolean => sql.exec("SELECT 1 FROM watch LIMIT 1").toArray().length > 0;
  let watched = findWatched();
  let told = watched ? (sql.exec<{ seq: number }>("SELECT seq FROM told").toArray()[0]?.seq ?? last) : last;
  const counts = new Map<string, number>();

  const keepTold = (seq: number): void => {
    told = seq;
    sql.exec("INSERT OR REPLACE INTO told (one, seq) VALUES (1, ?)", seq);
  };

  const countOf = (session: string): number => {
    const known = counts.get(session);
    if (known !== undefined) return known;
    if (counts.size >= MANY) counts.clear();
    return sql.exec<{ count: number }>("SELECT count(*) AS count FROM watch WHERE session = ?", session).one()
      .count;
  };
  const has = (name: string, session: string): boolean =>
    sql.exec("SELECT 1 FROM watch WHERE name = ? AND session = ?", name, session).toArray().length > 0;
  /** Each says whether it changed anything. */
  const insert = (name: string, session: string): boolean =>
    sql.exec("INSERT OR IGNORE INTO watch (name, session) VALUES (?, ?) RETURNING 1", name, session).toArray()
      .length > 0;
  const remove = (name: string, session: string): boolean =>
    sql.exec("DELETE FROM watch WHERE name = ? AND session = ? RETURNING 1", name, session).toArray().length >
    0;

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
      if (watched) keepTold(seq);
      else told = seq;
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
      const held = countOf(session);
      const isFull = sql.databaseSize > bytes;
      // What it has already it may ask for again, full or not.
      const isNear = isFull || held + names.length > namesEach;
      const fresh = isNear ? names.filter((name) => !has(name, session)) : names;
      if (fresh.length > 0 && (isFull || held + fresh.length > namesEach)) return false;
      if (fresh.length > 0 && !watched) keepTold(last);
      counts.set(session, held + fresh.filter((name) => insert(name, session)).length);
      watched ||= fresh.length > 0;
      return true;
    },
    unwatch(session, names) {
      if (names === undefined) {
        sql.exec("DELETE FROM watch WHERE session = ?", session);
        counts.delete(session);
      } else {
        const held = countOf(session);
        counts.set(session, held - names.filter((name) => remove(name, session)).length);
      }
      watched = findWatched();
    },
    watchers: (name) =>
      sql
        .exec<{ session: string }>("SELECT session FROM watch WHERE name = ?", name)
        .toArray()
        .map((row) => row.session),
    isWatched: () => watched,
  };
}
