/** Database files: ours, not ours, not usable. Whatever is wrong is said, and nothing is overwritten. */
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { openDatabase, type Versions } from "../../src/local/database.ts";
import { type DatabaseProblem, openSqlite, type Sqlite } from "../../src/local/sqlite.ts";
import { createLocalMcp } from "../../src/local/index.ts";
import { LaterSchema } from "../../src/session/store/schema.ts";
import { createSessionStore } from "../../src/session/store/store.ts";
import { SESSION_ROW as row } from "../support/session-row.ts";
import { rowsV1, SCHEMA_V1 } from "../support/schema-v1.ts";
import { createTestServer } from "../support/test-server.ts";
import { directory, freshFile } from "./served.ts";

function open(path: string | undefined, versions?: Versions): Sqlite {
  const sqlite = openDatabase(path, versions);
  let isOpen = true;
  const close = sqlite.close;
  sqlite.close = () => {
    if (isOpen) close();
    isOpen = false;
  };
  onTestFinished(() => sqlite.close());
  return sqlite;
}

/** Opens the file and expects a refusal of one line that names it. */
function expectRefused(path: string, problem: DatabaseProblem, message: RegExp): void {
  let refusal: unknown;
  try {
    openDatabase(path).close();
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toMatchObject({ name: "DatabaseError", problem, message: expect.stringContaining(path) });
  expect((refusal as Error).message).toMatch(message);
  expect((refusal as Error).message).not.toContain("\n");
}

const pragma = (sqlite: Sqlite, name: string): unknown =>
  Object.values(sqlite.exec(`PRAGMA ${name}`)[0] ?? {})[0];

describe("a file of our own", () => {
  test("keeps what was stored, in WAL mode, and checkpoints it as it is closed", () => {
    const path = freshFile();
    const first = open(path);
    expect(pragma(first, "journal_mode")).toBe("wal");
    createSessionStore(first, 3).open(row);
    first.close();
    expect(() => statSync(`${path}-wal`)).toThrow(/ENOENT/);
    const second = open(path);
    expect(createSessionStore(second, 3).load()).toEqual(row);
    expect(createSessionStore(second, 4).load()).toBeUndefined();
  });

  test("takes one session under an id, however many it holds", () => {
    const sqlite = open(freshFile());
    createSessionStore(sqlite, 1).open(row);
    createSessionStore(sqlite, 2).open({ ...row, id: "b".repeat(64) });
    expect(sqlite.exec("SELECT key FROM session WHERE id = ?", row.id)).toMatchObject([{ key: 1 }]);
    expect(() => sqlite.exec("UPDATE session SET id = ? WHERE key = 2", row.id)).toThrow(/UNIQUE/);
  });

  test("of an earlier version is brought forward, step by step, with what it holds", () => {
    const path = freshFile();
    const first = open(path, { current: 1, migrations: {} });
    createSessionStore(first, 1).open(row);
    first.close();
    const migrations = {
      1: ["ALTER TABLE session ADD COLUMN two TEXT DEFAULT 'two'"],
      2: ["UPDATE session SET two = two || ' three'"],
    };
    const third = open(path, { current: 3, migrations });
    expect(third.exec("SELECT two FROM session")).toMatchObject([{ two: "two three" }]);
    expect(pragma(third, "user_version")).toBe(3);
    third.close();
    // Once: a second start finds nothing to do.
    expect(open(path, { current: 3, migrations }).exec("SELECT two FROM session")).toMatchObject([
      { two: "two three" },
    ]);
  });

  test("of version 1 goes on: each session is brought to this version", () => {
    const path = freshFile();
    const old = new DatabaseSync(path);
    for (const statement of [...SCHEMA_V1, ...rowsV1("a".repeat(64), "{}", 5)]) old.exec(statement);
    old.exec(`PRAGMA application_id = ${0x484c4446}; PRAGMA user_version = 1`);
    old.close();
    const sqlite = open(path);
    expect(pragma(sqlite, "user_version")).toBe(2);
    const store = createSessionStore(sqlite, 1);
    expect(store.load()).toMatchObject({ status: "active", standalone: 77 });
    expect(sqlite.exec("SELECT schema FROM session")).toMatchObject([{ schema: 2 }]);
    store.append({ stream: 77, seq: 4, data: "{}", answers: null, handed: 3, now: 6 });
    expect(store.handed(77)).toBe(3);
    expect(store.survey(0)).toMatchObject([{ stream: 77, first: 1, last: 4 }]);
  });

  test("of one session, as an object has it, is brought forward whole or left as it was; a later one is left alone", () => {
    const sqlite = openSqlite(":memory:");
    onTestFinished(() => sqlite.close());
    for (const statement of [...SCHEMA_V1, ...rowsV1("a".repeat(64), "{}", 5)]) sqlite.exec(statement);
    const schema = (): unknown => sqlite.exec("SELECT schema FROM session")[0];
    sqlite.exec("ALTER TABLE event RENAME TO elsewhere");
    expect(() => createSessionStore(sqlite, 1).load()).toThrow(/event/);
    expect(schema()).toEqual({ schema: 1 });
    sqlite.exec("ALTER TABLE elsewhere RENAME TO event");
    expect(createSessionStore(sqlite, 1).load()).toMatchObject({ status: "active" });
    expect(schema()).toEqual({ schema: 2 });

    sqlite.exec("UPDATE session SET schema = 3");
    expect(() => createSessionStore(sqlite, 1).load()).toThrow(LaterSchema);
    expect(schema()).toEqual({ schema: 3 });
  });

  test("whose migration fails stays as it was", () => {
    const path = freshFile();
    const first = open(path, { current: 1, migrations: {} });
    createSessionStore(first, 1).open(row);
    first.close();
    const migrations = { 1: ["DELETE FROM session", "ALTER TABLE nothing ADD COLUMN n"] };
    expect(() => open(path, { current: 2, migrations })).toThrow(/nothing/);
    const again = open(path, { current: 1, migrations: {} });
    expect(createSessionStore(again, 1).load()).toEqual(row);
  });
});

describe("a file that cannot be used", () => {
  test("of a later version is refused", () => {
    const path = freshFile();
    open(path, { current: 99, migrations: {} }).close();
    const before = readFileSync(path);
    expectRefused(path, "newer", /version 99.*reads up to 2.*upgrade/);
    expect(readFileSync(path)).toEqual(before);
  });

  test.each(["DELETE", "WAL"])(
    "of another program (journal mode %s) is refused, byte for byte as it was",
    (mode) => {
      const path = freshFile();
      const other = new DatabaseSync(path);
      other.exec(
        `PRAGMA journal_mode = ${mode}; CREATE TABLE session (theirs); INSERT INTO session VALUES (1)`,
      );
      other.close();
      const before = readFileSync(path);
      expectRefused(path, "foreign", /another program/);
      expect(readFileSync(path)).toEqual(before);
    },
  );

  test("of another program, with a version but no table yet, is refused", () => {
    const path = freshFile();
    const other = new DatabaseSync(path);
    other.exec("PRAGMA user_version = 4");
    other.close();
    expectRefused(path, "foreign", /another program/);
  });

  test("that is no database is refused, byte for byte as it was", () => {
    const path = freshFile();
    writeFileSync(path, "Dear diary,\n".repeat(1000));
    const before = readFileSync(path);
    expectRefused(path, "corrupt", /not a database/);
    expect(readFileSync(path)).toEqual(before);
  });

  test("that was cut off is refused", () => {
    const path = freshFile();
    open(path).close();
    truncateSync(path, 5000);
    expectRefused(path, "corrupt", /damaged/);
    expect(statSync(path).size).toBe(5000);
  });

  test("whose pages are damaged is refused", () => {
    const path = freshFile();
    open(path).close();
    const bytes = readFileSync(path);
    bytes.fill(0xaa, 4096);
    writeFileSync(path, bytes);
    expectRefused(path, "corrupt", /damaged/);
  });

  test("that another host has open is refused, and the other goes on", () => {
    const path = freshFile();
    const first = open(path);
    expectRefused(path, "locked", /in use by another process/);
    createSessionStore(first, 1).open(row);
    expect(createSessionStore(first, 1).load()).toEqual(row);
  });

  test("is waited for where it is only just being let go of", () => {
    const path = freshFile();
    const first = open(path);
    // The wait is on the spot: what lets go must run elsewhere, or before the second try.
    const { wait } = Atomics;
    onTestFinished(() => void (Atomics.wait = wait));
    let tries = 0;
    Atomics.wait = ((...args: Parameters<typeof wait>) => {
      tries += 1;
      first.close();
      return wait(...args);
    }) as typeof wait;
    open(path);
    expect(tries).toBe(1);
  });

  test("in a directory that is not there is refused", () => {
    expectRefused(join(directory(), "not", "there.db"), "unusable", /its directory exists/);
  });

  test("without a name is refused", () => {
    expect(() => open("")).toThrow(new TypeError("database must be the path of a file, or be left out"));
  });

  test("is refused as the host is made, which then holds nothing open", () => {
    const path = freshFile();
    writeFileSync(path, "Dear diary,\n".repeat(1000));
    expect(() => createLocalMcp({ createServer: createTestServer, database: path })).toThrow(
      /not a database/,
    );
  });
});
