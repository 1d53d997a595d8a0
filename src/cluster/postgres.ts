/**
 * The engine on Postgres, 14 and later. What each method rests on
 * - An UPDATE waits for the row's lock and then looks at the row anew: so a fence comes before a flush, or after it,
 *   never within.
 * - A statement sees all or nothing of another. A claim that sees a node ended sees all that it has ever stored.
 * - What is read beside an update that had to wait may be older than what was waited for: so a claim goes by the
 *   count of claims that it has seen, and takes nothing that anybody has taken since.
 * @module
 */
import type { GuestCount } from "../guest.ts";
import type { Batch, Claimed, Engine, Found, Owner, StoredRow } from "./engine.ts";
import { ClusterError, type PgValue, type Query, sqlState } from "./pg.ts";
import { answerUser } from "./postgres-user.ts";
import { newSecret } from "./seal.ts";
import { BEGUN, given, kept, NOW } from "./sql.ts";
import { FOUNDATION, migration, TABLES_VERSION } from "./tables.ts";

const RENEW = `UPDATE holdfast.node SET expires = now() + $3 * interval '1 millisecond', flush = $2
  WHERE id = $1 AND alive AND flush = $2 - 1 RETURNING ${NOW} AS now`;

/** One statement: without the fence's row the rest finds nothing to do. */
const FLUSH = `WITH fence AS (${RENEW}), freed AS (
    UPDATE holdfast.session SET owner = NULL FROM fence WHERE id = ANY ($4::text[]) AND owner = $1
  ), vacated AS (
    DELETE FROM holdfast.session USING fence WHERE id = ANY ($5::text[]) AND owner = $1 AND status = 'vacant'
  ), cut AS (
    DELETE FROM holdfast.row USING fence, unnest($6::text[], $7::text[], $8::text[]) AS c (session, tbl, pk)
      WHERE row.session = c.session AND row.tbl = c.tbl AND row.pk = c.pk
  ), put AS (
    INSERT INTO holdfast.row (session, tbl, pk, data)
      SELECT p.session, p.tbl, p.pk, p.data
        FROM fence, unnest($9::text[], $10::text[], $11::text[], $12::text[]) AS p (session, tbl, pk, data)
      ON CONFLICT (session, tbl, pk) DO UPDATE SET data = excluded.data
  ), head AS (
    INSERT INTO holdfast.session AS held (id, owner, claims, schema, status, principal, alarm)
      SELECT h.id, $1, 1, h.schema, h.status, h.principal, h.alarm
        FROM fence, unnest($13::text[], $14::int[], $15::text[], $16::text[], $17::bigint[])
          AS h (id, schema, status, principal, alarm)
      ON CONFLICT (id) DO UPDATE SET schema = excluded.schema, status = excluded.status,
        principal = excluded.principal, alarm = excluded.alarm WHERE held.owner = $1
  ) SELECT now FROM fence`;

const CLAIM = `WITH claimed AS (
    UPDATE holdfast.session SET owner = $2, claims = claims + 1 WHERE id = $1 AND claims = $3
      AND (owner IS NULL OR owner IN (SELECT id FROM holdfast.node WHERE NOT alive)
        OR owner NOT IN (SELECT id FROM holdfast.node))
      RETURNING id, schema, status, principal, alarm
  )`;

/** A session's head, with each of its rows; once with none where there are none. */
const ROWS = `SELECT h.schema, h.status, h.principal, h.alarm::float8 AS alarm, r.tbl, r.pk, r.data
  FROM head AS h LEFT JOIN holdfast.row AS r ON r.session = h.id`;

/** Of an owner that is not alive, or that nobody knows any more. */
const OWNERLESS = `(s.owner IS NULL OR NOT EXISTS (SELECT 1 FROM holdfast.node AS n WHERE n.id = s.owner AND n.alive))`;

/** A process's own that has not rung for so long: taken by a statement whose answer did not come. */
const OVERDUE_MS = 10_000;

interface LoadedRow {
  schema: number;
  status: string;
  principal: string | null;
  alarm: number | null;
  tbl: string | null;
  pk: string;
  data: string;
}

/** What processes that make the tables at once may stumble over. */
const RACES: readonly string[] = ["23505", "42710", "42P06", "42P07", "40P01", "XX000"];
const ATTEMPTS = 20;

/** The engine over a database that is asked by `query`. */
export function postgresEngine(query: Query): Engine {
  const prepare = async (): Promise<void> => {
    for (const statement of FOUNDATION) await query(statement);
    await query(
      "INSERT INTO holdfast.meta (version, oldest, secret) VALUES (0, 0, $1) ON CONFLICT DO NOTHING",
      [newSecret()],
    );
    const [meta] = await query<{ version: number; oldest: number }>(
      "SELECT version, oldest FROM holdfast.meta",
    );
    const { version = 0, oldest = 0 } = meta ?? {};
    if (oldest > TABLES_VERSION) {
      throw new ClusterError(
        `The database's tables are of version ${version}, and this version of holdfast knows up to ${TABLES_VERSION}; upgrade holdfast, or give another database`,
      );
    }
    for (let from = version; from < TABLES_VERSION; from++) await query(migration(from));
  };

  const load = (rows: readonly LoadedRow[]): Claimed | undefined => {
    const [first] = rows;
    if (first === undefined) return undefined;
    const { schema, status, principal, alarm } = first;
    const stored: StoredRow[] = rows.flatMap(({ tbl, pk, data }) =>
      tbl === null ? [] : [{ table: tbl, pk, data }],
    );
    return { head: { schema, status, principal: principal && given(principal), alarm }, rows: stored };
  };

  return {
    async open() {
      for (let attempt = 1; ; attempt++) {
        try {
          await prepare();
          break;
        } catch (error) {
          const isRace = RACES.includes(sqlState(error) ?? "");
          if (!isRace || attempt === ATTEMPTS) throw error;
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 50));
        }
      }
      const [meta] = await query<{ secret: string }>("SELECT secret FROM holdfast.meta");
      if (meta === undefined) throw new ClusterError("The cluster's secret is gone from holdfast.meta");
      return meta.secret;
    },

    async join({ id, address, schema }, leaseMs) {
      const [joined] = await query<{ now: number }>(
        `INSERT INTO holdfast.node (id, address, schema, alive, expires, flush)
          VALUES ($1, $2, $3, true, now() + $4 * interval '1 millisecond', 0) RETURNING ${NOW} AS now`,
        [id, address, schema, leaseMs],
      );
      return joined?.now ?? Date.now();
    },

    async flush({ node, n, leaseMs }, batch) {
      const [stored] = isEmpty(batch)
        ? await query<{ now: number }>(RENEW, [node, n, leaseMs])
        : await query<{ now: number }>(FLUSH, [node, n, leaseMs, ...arraysOf(batch)]);
      if (stored !== undefined) return { kind: "stored", now: stored.now };
      const [held] = await query<{ alive: boolean; flush: number; now: number }>(
        `SELECT alive, flush::float8 AS flush, ${NOW} AS now FROM holdfast.node WHERE id = $1`,
        [node],
      );
      // One that is not there any more was fenced long ago, or its very joining was lost: it may write no more either way.
      if (held === undefined || !held.alive) return { kind: "fenced" };
      if (held.flush === n) return { kind: "stored", now: held.now };
      return { kind: "lost" };
    },

    async fence(node, onlyExpired) {
      const [held] = await query<{ alive: boolean }>(
        `WITH fenced AS (
            UPDATE holdfast.node SET alive = false WHERE id = $1 AND alive AND (expires < now() OR NOT $2) RETURNING id
          ) SELECT alive AND NOT EXISTS (SELECT 1 FROM fenced) AS alive FROM holdfast.node WHERE id = $1`,
        [node, onlyExpired],
      );
      return held?.alive !== true;
    },

    async leave(node) {
      await query(
        `WITH freed AS (UPDATE holdfast.session SET owner = NULL WHERE owner = $1 AND status <> 'vacant'),
          vacated AS (DELETE FROM holdfast.session WHERE owner = $1 AND status = 'vacant')
          UPDATE holdfast.node SET alive = false WHERE id = $1`,
        [node],
      );
    },

    async find(session) {
      interface Row {
        claims: number;
        schema: number;
        id: string | null;
        address: string;
        nodeSchema: number;
        alive: boolean;
        expired: boolean;
      }
      const [row] = await query<Row>(
        `SELECT s.claims::float8 AS claims, s.schema, n.id, n.address, n.schema AS "nodeSchema", n.alive,
          n.expires < now() AS expired
          FROM holdfast.session AS s LEFT JOIN holdfast.node AS n ON n.id = s.owner WHERE s.id = $1`,
        [session],
      );
      if (row === undefined) return undefined;
      const { id, address, nodeSchema, alive, expired } = row;
      const owner: Owner | undefined =
        id === null ? undefined : { id, address, schema: nodeSchema, isAlive: alive, isExpired: expired };
      return { schema: row.schema, claims: row.claims, owner } satisfies Found;
    },

    claim: async (session, node, claims) =>
      load(
        await query<LoadedRow>(`${CLAIM}, head AS (SELECT * FROM claimed) ${ROWS}`, [session, node, claims]),
      ),

    async reserve(session, { node, schema, forMs }) {
      const reserved = await query(
        `INSERT INTO holdfast.session (id, owner, claims, schema, status, alarm)
          VALUES ($1, $2, 1, $3, 'vacant', (${NOW} + $4)::bigint) ON CONFLICT DO NOTHING RETURNING id`,
        [session, node, schema, forMs],
      );
      return reserved.length > 0;
    },

    async due(node, { schema, guests, limit }) {
      const due = await query<{ id: string }>(
        `WITH due AS (
            SELECT s.id FROM holdfast.session AS s WHERE s.alarm <= ${BEGUN} AND s.schema <= $2
              AND (${OWNERLESS} OR (s.owner = $1 AND s.alarm <= ${BEGUN} - $5))
              AND ($4 OR s.status <> 'guest')
              ORDER BY s.alarm LIMIT $3 FOR UPDATE SKIP LOCKED
          ) UPDATE holdfast.session AS s SET owner = $1, claims = s.claims + 1 FROM due WHERE s.id = due.id RETURNING s.id`,
        [node, schema, limit, guests, OVERDUE_MS],
      );
      return due.map(({ id }) => id);
    },

    load: async (session, node) =>
      load(
        await query<LoadedRow>(
          `WITH head AS (SELECT id, schema, status, principal, alarm FROM holdfast.session WHERE id = $1 AND owner = $2) ${ROWS}`,
          [session, node],
        ),
      ),

    async members() {
      const rows = await query<{ id: string; address: string; schema: number; expired: boolean }>(
        "SELECT id, address, schema, expires < now() AS expired FROM holdfast.node WHERE alive",
      );
      return rows.map(({ expired, ...row }) => ({ ...row, isAlive: true, isExpired: expired }));
    },

    async watchers(topic, value, sticky) {
      const rows = await query<{ session: string }>(
        `SELECT w.session FROM holdfast.row AS w
          WHERE w.tbl = 'entry' AND NOT w.pk LIKE '["state"%' AND w.pk = $1 AND ($2::text IS NULL OR w.data = $2)
          AND ($3::text IS NULL OR EXISTS (SELECT 1 FROM holdfast.row AS s
            WHERE s.session = w.session AND s.tbl = 'entry' AND s.pk = $3))`,
        [topic, value ?? null, sticky ?? null],
      );
      return rows.map(({ session }) => session);
    },

    async count(principal, limit) {
      const whose = principal === undefined ? "true" : "principal = $2";
      const [row] = await query<{ count: number }>(
        `SELECT count(*)::int AS count FROM (
          SELECT 1 FROM holdfast.session WHERE status NOT IN ('ended', 'vacant', 'guest') AND ${whose} LIMIT $1) AS s`,
        principal === undefined ? [limit] : [limit, kept(principal)],
      );
      return row?.count ?? 0;
    },

    async countGuests(principal) {
      const [row] = await query<GuestCount & object>(
        `SELECT count(*)::int AS all, count(*) FILTER (WHERE principal = $1)::int AS own
          FROM holdfast.session WHERE status = 'guest'`,
        [principal && kept(principal)],
      );
      return row ?? { all: 0, own: 0 };
    },

    list: ({ principal, after, limit }) =>
      query<{ id: string; data: string; address: string | null }>(
        `SELECT s.id, r.data, n.address FROM holdfast.session AS s
          LEFT JOIN holdfast.node AS n ON n.id = s.owner AND n.alive
          JOIN holdfast.row AS r ON r.session = s.id AND r.tbl = 'session' AND r.pk = '[]'
          WHERE s.id > $1 AND s.status NOT IN ('ended', 'vacant', 'guest') ${principal === undefined ? "" : "AND s.principal = $3"}
          ORDER BY s.id LIMIT $2`,
        principal === undefined ? [after, limit] : [after, limit, kept(principal)],
      ),

    async sessionsOf(principal) {
      const rows = await query<{ id: string }>(
        "SELECT id FROM holdfast.session WHERE principal = $1 AND status NOT IN ('vacant', 'guest')",
        [kept(principal)],
      );
      return rows.map(({ id }) => id);
    },

    async sweep() {
      await query(
        `DELETE FROM holdfast.node AS n WHERE NOT n.alive AND n.expires < now() - interval '1 hour'
          AND NOT EXISTS (SELECT 1 FROM holdfast.session AS s WHERE s.owner = n.id)`,
      );
    },

    user: (owner, request, maxBytes) => answerUser(query, request, { owner, maxBytes }),

    close: () => query.end(),
  };
}

function isEmpty({ rows, gone, heads, released, vacated }: Batch): boolean {
  return rows.length + gone.length + heads.length + released.length + vacated.length === 0;
}

function arraysOf({ rows, gone, heads, released, vacated }: Batch): PgValue[] {
  return [
    released,
    vacated,
    gone.map(({ session }) => session),
    gone.map(({ table }) => table),
    gone.map(({ pk }) => pk),
    rows.map(({ session }) => session),
    rows.map(({ table }) => table),
    rows.map(({ pk }) => pk),
    rows.map(({ data }) => data),
    heads.map(({ id }) => id),
    heads.map(({ schema }) => schema),
    heads.map(({ status }) => status),
    heads.map(({ principal }) => principal && kept(principal)),
    heads.map(({ alarm }) => alarm),
  ];
}
