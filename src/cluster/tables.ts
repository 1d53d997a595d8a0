/**
 * The tables of a cluster, and how they are brought forward. Each step is one statement under a lock, so that processes
 * that start at once run it once. An older version of the code may go on, and start, beside newer tables as long as
 * `oldest` says so: a deploy has two versions for a while, and may be taken back.
 * @module
 */

/** The number of these tables. */
export const TABLES_VERSION = 2;

/** The first step: runs before there is anything to lock. Two at once may stand in each other's way: it is tried again. */
export const FOUNDATION: readonly string[] = [
  "CREATE SCHEMA IF NOT EXISTS holdfast",
  `CREATE TABLE IF NOT EXISTS holdfast.meta (one boolean PRIMARY KEY DEFAULT true CHECK (one), version int NOT NULL,
    oldest int NOT NULL, secret text NOT NULL)`,
];

/** What a migration from each version to the next does, and the oldest version of the code that can go on after it. */
const STEPS: readonly { readonly oldest: number; readonly statements: readonly string[] }[] = [
  {
    oldest: 1,
    statements: [
      `CREATE TABLE holdfast.node (id text PRIMARY KEY, address text NOT NULL, schema int NOT NULL, alive boolean NOT NULL,
        expires timestamptz NOT NULL, flush bigint NOT NULL)`,
      // Without an owner, or with one that is not alive, a session is nobody's. `claims` tells one taking from the next.
      `CREATE TABLE holdfast.session (id text PRIMARY KEY, owner text, claims bigint NOT NULL, schema int NOT NULL,
        status text NOT NULL, principal text, alarm bigint)`,
      "CREATE INDEX session_alarm ON holdfast.session (alarm) WHERE alarm IS NOT NULL",
      "CREATE INDEX session_owner ON holdfast.session (owner) WHERE owner IS NOT NULL",
      "CREATE INDEX session_principal ON holdfast.session (principal) WHERE principal IS NOT NULL",
      // A row of a session's own database under its primary key: nothing is replayed, and nothing is stored twice.
      `CREATE TABLE holdfast.row (session text NOT NULL, tbl text NOT NULL, pk text NOT NULL, data text NOT NULL,
        PRIMARY KEY (session, tbl, pk))`,
      "CREATE INDEX row_entry ON holdfast.row (pk, session) WHERE tbl = 'entry' AND NOT pk LIKE '[\"state\"%'",
      `CREATE TABLE holdfast.user_state (owner text NOT NULL, name text NOT NULL, version bigint NOT NULL, size bigint NOT NULL,
        value text NOT NULL, PRIMARY KEY (owner, name))`,
    ],
  },
  {
    // What is no session is counted by itself.
    oldest: 1,
    statements: ["CREATE INDEX session_guest ON holdfast.session (principal) WHERE status = 'guest'"],
  },
];

/** The statement that brings tables of this version to the next, where they are still of it. */
export function migration(from: number): string {
  const step = STEPS[from];
  if (step === undefined) throw new RangeError(`no step leads from version ${from}`);
  return `DO $holdfast$ BEGIN
    LOCK TABLE holdfast.meta IN ACCESS EXCLUSIVE MODE;
    IF (SELECT version FROM holdfast.meta) = ${from} THEN
      ${step.statements.map((statement) => `${statement};`).join("\n      ")}
      UPDATE holdfast.meta SET version = ${from + 1}, oldest = ${step.oldest};
    END IF;
  END $holdfast$`;
}
