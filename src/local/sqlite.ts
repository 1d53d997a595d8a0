/**
 * SQLite in this process: the one adapter of `node:sqlite`, which Node, Deno and Bun have alike.
 * @module
 */
import { statSync } from "node:fs";
import process from "node:process";
import type * as sqliteModule from "node:sqlite";
import type { SqlStore, SqlValue } from "../session/store/schema.ts";

/** An open database. Its queries throw {@link DatabaseError} with the file's name until `opened`. */
export interface Sqlite extends SqlStore {
  /** Notes from now on which rows change, whatever statement does it. */
  track(): Tracker;
  /** The file is open and ready: errors from here on reach tools, and through them clients, and name it no more. */
  opened(): void;
  /** False where the file's path no longer leads to the file that is open: what is written to it is lost in the end. */
  isInPlace(): boolean;
  close(): void;
}

/** What SQLite's session extension has noted. */
export interface Tracker {
  /** All that has changed since the beginning, in the extension's own format. */
  patchset(): Uint8Array;
  end(): void;
}

/** What is wrong with a database file. */
export type DatabaseProblem = "locked" | "corrupt" | "newer" | "foreign" | "unusable";

/** A database file cannot be used. The message says which, why, and what to do. */
export class DatabaseError extends Error {
  readonly problem: DatabaseProblem;

  constructor(problem: DatabaseProblem, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "DatabaseError";
    this.problem = problem;
  }
}

/** SQLite's result codes; extended codes keep them in the low byte. */
const LOCKED: readonly number[] = [5, 6];
const CORRUPT: readonly number[] = [11, 26];
/** Read-only, I/O error, full, cannot open, no permission. */
const UNUSABLE: readonly number[] = [3, 8, 10, 13, 14, 23];

/**
 * Not imported: an import of what is not there ends the program before it can say why.
 * @throws {Error} in a runtime that has no SQLite
 */
function sqliteOf(): typeof sqliteModule {
  // As old as the runtime is, the function may be missing too.
  const found = (process as Partial<typeof process>).getBuiltinModule?.("node:sqlite");
  if (found !== undefined) return found;
  const { deno, bun, node } = process.versions as Partial<Record<string, string>>;
  const current = deno === undefined ? (bun === undefined ? `Node ${node}` : `Bun ${bun}`) : `Deno ${deno}`;
  throw new Error(
    `Holdfast needs Node 22.13, Deno 2.2 or Bun 1.4, or later, for node:sqlite; this is ${current}`,
  );
}

/** @param path a file, or `:memory:` */
export function openSqlite(path: string): Sqlite {
  let file = `The database file ${path}`;
  const explained = <T>(body: () => T): T => {
    try {
      return body();
    } catch (error) {
      throw explain(error, file);
    }
  };
  const { DatabaseSync } = sqliteOf();
  const database = explained(() => new DatabaseSync(path));
  const opened = path === ":memory:" ? undefined : inodeOf(path);
  /** The statements are few and fixed: each is compiled once. */
  const statements = new Map<string, sqliteModule.StatementSync>();
  let depth = 0;

  const prepare = (sql: string): sqliteModule.StatementSync => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };

  // Not by `database.exec`: Deno gives its errors no result code.
  const command = (sql: string): void => void explained(() => prepare(sql).all());

  return {
    track() {
      const session = database.createSession();
      return { patchset: () => session.patchset(), end: () => session.close() };
    },
    isInPlace: () => opened === undefined || inodeOf(path) === opened,
    exec: <Row extends Record<string, SqlValue>>(sql: string, ...bindings: SqlValue[]) =>
      explained(() => prepare(sql).all(...bindings) as Row[]),
    transaction<T>(body: () => T): T {
      const [begin, commit, ...rollback] =
        depth === 0
          ? (["BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"] as const)
          : ([
              `SAVEPOINT s${depth}`,
              `RELEASE s${depth}`,
              `ROLLBACK TO s${depth}`,
              `RELEASE s${depth}`,
            ] as const);
      command(begin);
      depth += 1;
      try {
        const result = body();
        command(commit);
        return result;
      } catch (error) {
        try {
          rollback.forEach(command);
        } catch {
          // SQLite has rolled back by itself, as it does where the disk is full.
        }
        throw error;
      } finally {
        depth -= 1;
      }
    },
    opened() {
      file = "The database";
    },
    close() {
      statements.clear();
      database.close();
    },
  };
}

/** @param file how the message calls it */
export function damaged(file: string, how: string, cause?: unknown): DatabaseError {
  return new DatabaseError(
    "corrupt",
    `${file} is damaged or not a database (${how}); restore it, or give another file`,
    cause,
  );
}

function explain(error: unknown, file: string): unknown {
  if (!(error instanceof Error)) return error;
  const { errcode, code, message } = error as Error & { errcode?: number; code?: string };
  const result = errcode === undefined ? undefined : errcode & 0xff;
  const is = (codes: readonly number[]): boolean => result !== undefined && codes.includes(result);
  if (is(LOCKED)) {
    return new DatabaseError(
      "locked",
      `${file} is in use by another process; end it, or give this one a file of its own`,
      error,
    );
  }
  if (is(CORRUPT)) return damaged(file, message, error);
  // Deno gives no result code where a file cannot be opened.
  if (is(UNUSABLE) || (code === "ERR_SQLITE_ERROR" && message.startsWith("unable to open"))) {
    return new DatabaseError(
      "unusable",
      `${file} cannot be used (${message}); see that its directory exists and can be written`,
      error,
    );
  }
  return error;
}

/** Undefined where there is no file. */
function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
