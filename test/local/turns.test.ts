/** What one turn of the event loop sends is one transaction, and nothing leaves before it is stored. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { createLink } from "../../src/local/link.ts";
import { openSqlite } from "../../src/local/sqlite.ts";
import { createTurns, type Turns } from "../../src/local/turns.ts";

interface Rig {
  readonly turns: Turns;
  /** What SQLite was given, without what it was bound to. */
  readonly statements: string[];
  readonly errors: unknown[];
  close(): void;
  rows(): number[];
}

const PUT = "INSERT INTO event VALUES (?)";

function rig(): Rig {
  const folder = mkdtempSync(join(tmpdir(), "turns-"));
  const sqlite = openSqlite(join(folder, "test.db"));
  sqlite.exec("PRAGMA journal_mode = WAL");
  sqlite.exec("CREATE TABLE event (n INTEGER PRIMARY KEY)");
  // Checked by COMMIT alone: one that fails can be had for the asking.
  sqlite.exec("CREATE TABLE late (n INTEGER REFERENCES event DEFERRABLE INITIALLY DEFERRED)");
  sqlite.exec("PRAGMA foreign_keys = ON");
  const statements: string[] = [];
  const errors: unknown[] = [];
  const { exec } = sqlite;
  const turns = createTurns(
    {
      ...sqlite,
      exec(statement, ...bindings) {
        statements.push(statement.split(" ")[0] ?? "");
        return exec(statement, ...bindings);
      },
    },
    (error) => errors.push(error),
  );
  let isClosed = false;
  const close = (): void => {
    if (!isClosed) turns.close();
    isClosed = true;
  };
  onTestFinished(() => {
    close();
    rmSync(folder, { recursive: true });
  });
  return {
    turns,
    close,
    statements,
    errors,
    rows: () => turns.exec<{ n: number }>("SELECT n FROM event ORDER BY n").map(({ n }) => n),
  };
}

test("what one turn defers is stored in one transaction, and only then told of", async () => {
  const { turns, statements, rows } = rig();
  const told = vi.fn<(isStored: boolean) => void>();
  for (let n = 1; n <= 3; n++) {
    turns.defer(PUT, n);
    turns.settled(told);
    await Promise.resolve();
  }
  // It is read back at once, but by nobody outside.
  expect(rows()).toEqual([1, 2, 3]);
  expect(told).not.toHaveBeenCalled();
  await setImmediate();
  expect(told.mock.calls).toEqual([[true], [true], [true]]);
  expect(statements).toEqual(["BEGIN", "INSERT", "INSERT", "INSERT", "SELECT", "COMMIT"]);
  turns.settled(told);
  expect(told).toHaveBeenCalledTimes(4);
});

test("any other write ends what is deferred first, and fails by itself", () => {
  const { turns, rows } = rig();
  const told = vi.fn<(isStored: boolean) => void>();
  turns.defer(PUT, 1);
  turns.settled(told);
  expect(() => turns.exec(PUT, 1)).toThrow("UNIQUE");
  expect(told.mock.calls).toEqual([[true]]);
  expect(rows()).toEqual([1]);
});

test("what is deferred within a transaction goes the transaction's way", async () => {
  const { turns, statements, rows } = rig();
  turns.defer(PUT, 1);
  const failing = (): never =>
    turns.transaction(() => {
      turns.defer(PUT, 2);
      throw new Error("no");
    });
  expect(failing).toThrow("no");
  turns.transaction(() => turns.defer(PUT, 3));
  await setImmediate();
  expect(rows()).toEqual([1, 3]);
  expect(statements.filter((statement) => statement === "COMMIT")).toHaveLength(1);
});

test("what a turn deferred and could not store is told to be lost, and the next turn goes on", async () => {
  const { turns, errors, rows } = rig();
  const told = vi.fn<(isStored: boolean) => void>();
  turns.defer(PUT, 1);
  turns.defer("INSERT INTO late VALUES (?)", 99);
  turns.settled(told);
  await setImmediate();
  expect(told.mock.calls).toEqual([[false]]);
  expect(errors).toHaveLength(1);
  expect(rows()).toEqual([]);
  turns.defer(PUT, 2);
  turns.settled(told);
  await setImmediate();
  expect(told.mock.calls).toEqual([[false], [true]]);
  expect(rows()).toEqual([2]);
});

test("a deferred write that fails takes its turn with it, and says so", () => {
  const { turns, errors, rows } = rig();
  const told = vi.fn<(isStored: boolean) => void>();
  turns.defer(PUT, 1);
  turns.settled(told);
  expect(() => turns.defer(PUT, 1)).toThrow("UNIQUE");
  expect(told.mock.calls).toEqual([[false]]);
  expect(errors).toHaveLength(1);
  expect(rows()).toEqual([]);
});

test("the end of the host stores what was deferred", () => {
  const { turns, statements, close } = rig();
  turns.defer(PUT, 1);
  close();
  expect(statements.at(-1)).toBe("COMMIT");
});

test("frames of events that could not be stored never leave: the client is told of a gap, and the next frames come", async () => {
  let settle: (isStored: boolean) => void = () => {};
  const acknowledged: number[] = [];
  const { link, outlet } = createLink("c", 0, {
    settled: (action) => (settle = action),
    onAck: (seq) => acknowledged.push(seq),
    onClose() {},
  });
  const read = async (): Promise<string> => new TextDecoder().decode(await link.read());
  outlet.send("data: 1\n\n", 1);
  settle(true);
  expect(await read()).toBe("data: 1\n\n");

  outlet.send("data: 2\n\n", 2);
  outlet.send("data: 3\n\n", 3);
  const reading = read();
  settle(false);
  expect(await reading).toBe(": gap: events before this place could not be stored\n\n");
  // The session need not wait for them to be taken.
  expect(acknowledged).toEqual([3]);

  outlet.send("data: 4\n\n", 4);
  settle(true);
  expect(await read()).toBe("data: 4\n\n");
});
