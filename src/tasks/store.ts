/**
 * Tasks as SQL. One set of queries for a Durable Object that holds one task, and a local file that holds many.
 * Nothing is created before the first task.
 *
 * Layout
 * - `task`        one row: {@link TaskRecord}.
 * - `task_text`   what may be long, by name, a text over {@link PART} characters in several rows: the call, where it came
 *                 in, what it has asked, how it ended.
 * - `task_entry`  `task.state`.
 * @module
 */
import type { GuestCount } from "../guest.ts";
import type { JsonObject, JsonRpcRequest } from "../jsonrpc/messages.ts";
import { createEntryStore, type EntryStore } from "../session/store/entries.ts";
import { PART, partEnd, type SqlStore, type SqlValue } from "../session/store/schema.ts";
import type { Questions } from "./questions.ts";
import type { Outcome, TaskRecord } from "./record.ts";

/** The texts of a task. */
export interface TaskTexts {
  /** The call as it came in. */
  call: JsonRpcRequest;
  /** Where it came in, and the headers that the era's rules are about. */
  origin: { readonly url: string; readonly headers: Readonly<Record<string, string>> };
  questions: Questions;
  /** What the tool wants back with the answers, as it gave it. */
  requestState: string;
  /** What the round that is under way, or was, has been given: `inputResponses` and `requestState`. */
  given: JsonObject;
  outcome: Outcome;
}

/** All that is asked of one task's storage. Synchronous, and throws where SQLite does (a full disk). */
export interface TaskStore {
  /** Undefined where there is none. Creates nothing. */
  load(): TaskRecord | undefined;
  /** Stores the task with its texts, and whatever `also` stores. Creates the schema where it is missing. */
  create(record: TaskRecord, texts: Partial<TaskTexts>, also: () => void): void;
  /** Changes the row and sets texts, as one unit; a text that is undefined is removed. */
  update(
    fields: Partial<TaskRecord>,
    texts?: { [Name in keyof TaskTexts]?: TaskTexts[Name] | undefined },
  ): void;
  text<Name extends keyof TaskTexts>(name: Name): TaskTexts[Name] | undefined;
  /** How many tasks this store holds, and how many of them are the principal's. */
  count(principal: string | null): GuestCount;
  /** Removes the task and all that belongs to it. */
  remove(): void;
  readonly entries: EntryStore;
}

/** The statements that make the tables, each where its table is missing. */
export const TASK_SCHEMA: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS task (id TEXT PRIMARY KEY, taskId TEXT NOT NULL, principal TEXT, topic TEXT NOT NULL,
    status TEXT NOT NULL, statusMessage TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    version INTEGER NOT NULL, ttlMs INTEGER NOT NULL, pollIntervalMs INTEGER NOT NULL, attempt INTEGER NOT NULL,
    round INTEGER NOT NULL, running INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS task_text (id TEXT NOT NULL, name TEXT NOT NULL, part INTEGER NOT NULL,
    data TEXT NOT NULL, PRIMARY KEY (id, name, part)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS task_entry (key TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    value TEXT NOT NULL, PRIMARY KEY (key, kind, name)) WITHOUT ROWID`,
];

const COLUMNS = [
  "taskId",
  "principal",
  "topic",
  "status",
  "statusMessage",
  "created",
  "updated",
  "version",
  "ttlMs",
  "pollIntervalMs",
  "attempt",
  "round",
  "running",
] as const satisfies (keyof TaskRecord)[];

/** True where a task of this id is stored; asking creates nothing. */
export function hasTask(sql: SqlStore, id: string): boolean {
  return hasTables(sql) && sql.exec("SELECT 1 AS found FROM task WHERE id = ?", id).length > 0;
}

/** Whose the task of this id is; null where it is nobody's, or there is none. */
export function ownerOf(sql: SqlStore, id: string): string | null {
  const [row] = sql.exec<{ principal: string | null }>("SELECT principal FROM task WHERE id = ?", id);
  return row?.principal ?? null;
}

function hasTables(sql: SqlStore): boolean {
  return sql.exec("SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'task'").length > 0;
}

/** The store of the task of this id. */
export function createTaskStore(sql: SqlStore, id: string): TaskStore {
  const putText = (name: string, value: unknown): void => {
    sql.exec("DELETE FROM task_text WHERE id = ? AND name = ?", id, name);
    if (value === undefined) return;
    const json = JSON.stringify(value);
    for (let start = 0, part = 0; start < json.length; part++) {
      const end = json.length - start <= PART ? json.length : partEnd(json, start);
      sql.exec(
        "INSERT INTO task_text (id, name, part, data) VALUES (?, ?, ?, ?)",
        id,
        name,
        part,
        json.slice(start, end),
      );
      start = end;
    }
  };

  return {
    load() {
      if (!hasTables(sql)) return undefined;
      return sql.exec<{ [Name in keyof TaskRecord]: TaskRecord[Name] }>(
        `SELECT ${COLUMNS.join()} FROM task WHERE id = ?`,
        id,
      )[0];
    },
    create(record, texts, also) {
      sql.transaction(() => {
        if (!hasTables(sql)) for (const statement of TASK_SCHEMA) sql.exec(statement);
        sql.exec(
          `INSERT INTO task (id, ${COLUMNS.join()}) VALUES (?${", ?".repeat(COLUMNS.length)})`,
          id,
          ...COLUMNS.map((name) => record[name]),
        );
        for (const [name, value] of Object.entries(texts)) putText(name, value);
        also();
      });
    },
    update(fields, texts = {}) {
      const given = Object.entries(fields) as [keyof TaskRecord, SqlValue][];
      sql.transaction(() => {
        if (given.length > 0) {
          sql.exec(
            `UPDATE task SET ${given.map(([name]) => `${name} = ?`).join(", ")} WHERE id = ?`,
            ...given.map(([, value]) => value),
            id,
          );
        }
        for (const [name, value] of Object.entries(texts)) putText(name, value);
      });
    },
    text<Name extends keyof TaskTexts>(name: Name): TaskTexts[Name] | undefined {
      const parts = sql.exec<{ data: string }>(
        "SELECT data FROM task_text WHERE id = ? AND name = ? ORDER BY part",
        id,
        name,
      );
      if (parts.length === 0) return undefined;
      return JSON.parse(parts.map(({ data }) => data).join("")) as TaskTexts[Name];
    },
    count(principal) {
      const none = { all: 0, own: 0 };
      if (!hasTables(sql)) return none;
      const [counted] = sql.exec<{ all: number; own: number }>(
        'SELECT count(*) AS "all", coalesce(sum(principal IS ?), 0) AS own FROM task',
        principal,
      );
      return counted ?? none;
    },
    remove() {
      if (!hasTables(sql)) return;
      sql.transaction(() => {
        sql.exec("DELETE FROM task_entry WHERE key = ?", id);
        sql.exec("DELETE FROM task_text WHERE id = ?", id);
        sql.exec("DELETE FROM task WHERE id = ?", id);
      });
    },
    entries: createEntryStore(sql, id, "task_entry"),
  };
}
