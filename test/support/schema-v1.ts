/** What the first version stored, as it stored it. @module */

export const SCHEMA_V1: readonly string[] = [
  `CREATE TABLE session (key INTEGER PRIMARY KEY, schema INTEGER NOT NULL, id TEXT NOT NULL,
    kind TEXT NOT NULL, status TEXT NOT NULL, principal TEXT, version TEXT NOT NULL, initialize TEXT,
    initialized INTEGER NOT NULL, standalone INTEGER NOT NULL, created INTEGER NOT NULL, seen INTEGER NOT NULL,
    ended INTEGER, successor TEXT)`,
  `CREATE TABLE stream (key INTEGER NOT NULL, stream INTEGER NOT NULL, kind TEXT NOT NULL,
    pending TEXT NOT NULL, request TEXT, attempts INTEGER NOT NULL, trimmed INTEGER NOT NULL,
    delivered INTEGER NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (key, stream)) WITHOUT ROWID`,
  `CREATE TABLE event (key INTEGER NOT NULL, stream INTEGER NOT NULL, seq INTEGER NOT NULL,
    part INTEGER NOT NULL, size INTEGER NOT NULL, answers TEXT, created INTEGER NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (key, stream, seq, part)) WITHOUT ROWID`,
  `CREATE TABLE entry (key INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    value TEXT NOT NULL, PRIMARY KEY (key, kind, name)) WITHOUT ROWID`,
];

/** A session under key 1, with three messages of which its client has had two, a state, and a subscription. */
export function rowsV1(id: string, initialize: string, now: number): readonly string[] {
  const message = (n: number): string =>
    JSON.stringify({
      jsonrpc: "2.0",
      method: "notifications/message",
      params: { level: "info", data: { n } },
    });
  const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;
  return [
    `INSERT INTO session VALUES (1, 1, ${text(id)}, 'streamable', 'active', NULL, '2025-11-25', ${text(initialize)},
      1, 77, ${now}, ${now}, NULL, NULL)`,
    `INSERT INTO stream VALUES (1, 77, 'standalone', '[]', NULL, 1, 0, 2, ${now})`,
    ...[1, 2, 3].map(
      (n) =>
        `INSERT INTO event VALUES (1, 77, ${n}, 0, ${message(n).length}, NULL, ${now}, ${text(message(n))})`,
    ),
    `INSERT INTO entry VALUES (1, 'state', 'counter', '41')`,
    `INSERT INTO entry VALUES (1, 'sticky', 'resources/subscribe test://one', '{"uri":"test://one"}')`,
  ];
}
