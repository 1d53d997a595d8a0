/**
 * The database file of a host: one for all its sessions. Whose file it is, and whether this version can
 * read it, is settled before the first write; a file that is not ours is left as it was.
 *
 * SQLite's exclusive lock makes this process the file's only user until it ends, however it ends.
 * @module
 */
import { createSchema, migrate, MIGRATIONS, SCHEMA_VERSION } from "../session/store/schema.ts";
import { damaged, DatabaseError, openSqlite, type Sqlite } from "./sqlite.ts";

/** What versions there are, and how to get from one to the next. */
export interface Versions {
  readonly current: number;
  /** Statements that bring what version n left to version n + 1, under n. */
  readonly migrations: Readonly<Record<number, readonly string[]>>;
}

/** "HLDF" in SQLite's header field for who a file belongs to. */
const APPLICATION_ID = 0x484c4446;

/** How long a start waits for a process that is just ending to let go of the file. */
const LOCK_WAIT_MS = 2000;

/** Largest file that is read through at the start: well under a second. */
const CHECKED_BYTES = 134_217_728;

/** What one file for many sessions needs beyond the schema that is shared with Durable Objects. */
const LOCAL_SCHEMA = [
  "CREATE UNIQUE INDEX IF NOT EXISTS session_id ON session (id)",
  // Whose sessions there are: without reading all, and what they keep of their clients.
  "CREATE INDEX IF NOT EXISTS session_principal ON session (principal) WHERE principal IS NOT NULL",
  "CREATE TABLE IF NOT EXISTS alarm (key INTEGER PRIMARY KEY, at INTEGER NOT NULL)",
  "CREATE INDEX IF NOT EXISTS alarm_at ON alarm (at)",
  // Who wants to hear of a change, without reading what others keep. The user's state is not in it.
  "CREATE INDEX IF NOT EXISTS entry_name ON entry (name) WHERE kind = 'watch' OR kind = 'sticky'",
];

/**
 * Opens the file and makes it ready, or a database in memory where there is no path.
 * @throws {DatabaseError} where the file is locked, damaged, of a later version, or not ours
 */
export function openDatabase(
  path: string | undefined,
  versions: Versions = { current: SCHEMA_VERSION, migrations: MIGRATIONS },
): Sqlite {
  if (path === "") throw new TypeError("database must be the path of a file, or be left out");
  const deadline = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      return openOnce(path, versions);
    } catch (error) {
      const isLocked = error instanceof DatabaseError && error.problem === "locked";
      if (!isLocked || Date.now() >= deadline) throw error;
    }
    // Two that start at once may each stand in the other's way: both have let go by now, and try again at
    // different times. Waits on the spot, since a host is made without waiting.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20 + Math.random() * 80);
  }
}

function openOnce(path: string | undefined, versions: Versions): Sqlite {
  const sqlite = openSqlite(path ?? ":memory:");
  try {
    sqlite.exec("PRAGMA locking_mode = EXCLUSIVE");
    sqlite.transaction(() => prepare(sqlite, path ?? ":memory:", versions));
    if (path !== undefined) sqlite.exec("PRAGMA journal_mode = WAL");
    // Safe against the end of the process at any time. The end of the machine may cost the last moment, never the file.
    sqlite.exec("PRAGMA synchronous = NORMAL");
    sqlite.opened();
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

function prepare(sqlite: Sqlite, path: string, { current, migrations }: Versions): void {
  const owner = pragma(sqlite, "application_id");
  const version = pragma(sqlite, "user_version");
  const [found] = sqlite.exec<{ tables: number }>("SELECT count(*) AS tables FROM sqlite_master");
  const isEmpty = owner === 0 && version === 0 && found?.tables === 0;
  if (!isEmpty && owner !== APPLICATION_ID) {
    throw new DatabaseError(
      "foreign",
      `The database file ${path} belongs to another program; give this one a file of its own`,
    );
  }
  if (version > current) {
    throw new DatabaseError(
      "newer",
      `The database file ${path} has version ${version}, and this version of holdfast reads up to ${current}; upgrade holdfast, or give another file`,
    );
  }
  if (isEmpty) createSchema(sqlite);
  else check(sqlite, path);
  if (!isEmpty && version < current) migrate(sqlite, version, { to: current, migrations });
  for (const statement of LOCAL_SCHEMA) sqlite.exec(statement);
  if (version === current) return;
  sqlite.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
  sqlite.exec(`PRAGMA user_version = ${current}`);
}

/** Reads the file through, where that keeps nobody waiting: damage is better found now than in the middle of a call. */
function check(sqlite: Sqlite, path: string): void {
  const [size] = sqlite.exec<{ bytes: number }>(
    "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size",
  );
  if ((size?.bytes ?? 0) > CHECKED_BYTES) return;
  const [found] = sqlite.exec<{ quick_check: string }>("PRAGMA quick_check(1)");
  const verdict = found?.quick_check.split("\n").at(-1);
  if (verdict !== "ok") throw damaged(`The database file ${path}`, verdict ?? "unreadable");
}

function pragma(sqlite: Sqlite, name: "application_id" | "user_version"): number {
  return sqlite.exec<{ value: number }>(`SELECT ${name} AS value FROM pragma_${name}`)[0]?.value ?? 0;
}
