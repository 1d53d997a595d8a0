/** The store in one process: the two methods that the session core builds on. */
import { describe, expect, onTestFinished, test } from "vitest";
import { openSqlite, type Sqlite } from "../../src/local/sqlite.ts";

function withTable(): Sqlite {
  const sqlite = openSqlite(":memory:");
  onTestFinished(() => sqlite.close());
  sqlite.exec("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)");
  return sqlite;
}

const numbers = (sqlite: Sqlite): number[] =>
  sqlite.exec<{ n: number }>("SELECT n FROM t ORDER BY n").map(({ n }) => n);
const insert = (sqlite: Sqlite, n: number): void => void sqlite.exec("INSERT INTO t (n) VALUES (?)", n);

describe("exec", () => {
  test("text, whole numbers to 2^53 and null come back as they went in", () => {
    const sqlite = withTable();
    sqlite.exec("INSERT INTO t VALUES (?, ?), (?, ?)", Number.MAX_SAFE_INTEGER, "é→😀\0", 2, null);
    expect(sqlite.exec("SELECT n, text FROM t ORDER BY n").map((row) => ({ ...row }))).toEqual([
      { n: 2, text: null },
      { n: Number.MAX_SAFE_INTEGER, text: "é→😀\0" },
    ]);
  });

  test("rows that a statement returned stay as they were when it runs again", () => {
    const sqlite = withTable();
    insert(sqlite, 1);
    const select = "SELECT n FROM t WHERE n >= ? ORDER BY n";
    const before = sqlite.exec<{ n: number }>(select, 0);
    insert(sqlite, 2);
    expect(sqlite.exec(select, 2)).toMatchObject([{ n: 2 }]);
    expect(before).toMatchObject([{ n: 1 }]);
  });
});

describe("transaction", () => {
  test("all writes of a body that throws are undone, and its error passes through", () => {
    const sqlite = withTable();
    insert(sqlite, 1);
    expect(() =>
      sqlite.transaction(() => {
        insert(sqlite, 2);
        throw new RangeError("no");
      }),
    ).toThrow(new RangeError("no"));
    expect(numbers(sqlite)).toEqual([1]);
  });

  test("an inner transaction that fails undoes its own writes alone", () => {
    const sqlite = withTable();
    sqlite.transaction(() => {
      insert(sqlite, 1);
      expect(() =>
        sqlite.transaction(() => {
          insert(sqlite, 2);
          sqlite.transaction(() => insert(sqlite, 3));
          throw new Error("inner");
        }),
      ).toThrow("inner");
      insert(sqlite, 4);
    });
    expect(numbers(sqlite)).toEqual([1, 4]);
  });

  test("an outer transaction that fails undoes the inner ones too", () => {
    const sqlite = withTable();
    expect(() =>
      sqlite.transaction(() => {
        sqlite.transaction(() => insert(sqlite, 1));
        throw new Error("outer");
      }),
    ).toThrow("outer");
    expect(numbers(sqlite)).toEqual([]);
    sqlite.transaction(() => insert(sqlite, 2));
    expect(numbers(sqlite)).toEqual([2]);
  });

  test("a failing statement leaves the next transaction usable", () => {
    const sqlite = withTable();
    insert(sqlite, 1);
    expect(() => sqlite.transaction(() => insert(sqlite, 1))).toThrow(/UNIQUE/);
    expect(sqlite.transaction(() => numbers(sqlite))).toEqual([1]);
  });
});
