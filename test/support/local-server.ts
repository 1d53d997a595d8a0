/**
 * The test server as a process on Node, Deno or Bun, whichever runs this file, with a back door like the
 * test Worker's: `/__test/inspect?session=<id>` tells what is stored of a session, `/__test/tasks` how much of tasks.
 * @module
 */
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { main } from "../../examples/server/main.ts";
import type { Inspection } from "./back-door.ts";
import { serve } from "./serve-here.ts";
import { testModern } from "./test-modern.ts";
import { testAdmin, testOptions } from "./test-options.ts";
import { testTelemetry } from "./test-telemetry.ts";
import { testServers } from "./test-server.ts";

const bootId = crypto.randomUUID();
const TABLES = ["session", "stream", "event", "entry"];
const TASK_TABLES = ["task", "task_text", "task_entry", "guest_alarm"];

/** The database is the host's alone, so the back door goes through the connection that the host has. */
let database: DatabaseSync | undefined;
const remember = (opened: DatabaseSync): void => void (database = opened);
const { prepare } = DatabaseSync.prototype;
DatabaseSync.prototype.prepare = function (this: DatabaseSync, ...args) {
  remember(this);
  return prepare.apply(this, args);
};

function inspect(session: string | null): Inspection {
  const rows = (sql: string, value: string | number): Record<string, unknown>[] =>
    database === undefined ? [] : prepare.call(database, sql).all(value);
  const key = Number(rows("SELECT key FROM session WHERE id = ?", session ?? "")[0]?.["key"] ?? 0);
  return {
    bootId,
    fetches: 0,
    alarms: 0,
    socketMessages: 0,
    sockets: 0,
    rowsWritten: 0,
    alarm: (rows("SELECT at FROM alarm WHERE key = ?", key)[0]?.["at"] as number | undefined) ?? null,
    tables: Object.fromEntries(
      TABLES.map((table) => [table, rows(`SELECT * FROM ${table} WHERE key = ?`, key)]),
    ),
  };
}

/** How many rows there are of tasks, by table; of a table that nobody has made, none. */
function countTasks(): Record<string, number> {
  const there = prepare.call(database as DatabaseSync, "SELECT name FROM sqlite_master").all() as {
    name: string;
  }[];
  const count = (table: string): number =>
    there.some(({ name }) => name === table)
      ? Number(prepare.call(database as DatabaseSync, `SELECT count(*) AS n FROM ${table}`).get()?.["n"])
      : 0;
  return Object.fromEntries(TASK_TABLES.map((table) => [table, count(table)]));
}

await main(
  (options) =>
    serve({
      ...options,
      fetch(request, env) {
        if (request.url.endsWith("/__test/tasks")) return Response.json(countTasks());
        // Not parsed for every request: a Host that is no name is the router's to refuse.
        if (!request.url.includes("/__test/inspect")) return options.fetch(request, env);
        return Response.json(inspect(new URL(request.url).searchParams.get("session")));
      },
    }),
  {
    ...testOptions(process.env),
    createServer: testServers(process.env),
    ...testModern(process.env),
    ...testAdmin(process.env),
    ...(await testTelemetry(process.env)),
  },
);
