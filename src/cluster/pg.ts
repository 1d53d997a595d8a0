/**
 * Postgres as this process reaches it: the one adapter of `pg`. Each query is one round trip, without a name, a session's
 * setting or a transaction around it, so that poolers in transaction mode serve as well.
 * @module
 */
import type * as Pg from "pg";
import type { PoolConfig } from "pg";

/** What a statement can be given. */
export type PgValue = string | number | boolean | null | readonly (string | number | null)[];

/** Asks the database. */
export interface Query {
  <Row extends object>(text: string, values?: readonly PgValue[]): Promise<Row[]>;
  end(): Promise<void>;
}

/** Where the database is: a URL, or what `pg` takes as a pool's configuration. */
export type PostgresOptions = string | PoolConfig;

/** The database is not fit for a cluster. The message says why, and what to do. */
export class ClusterError extends Error {
  override readonly name = "ClusterError";
}

/** A query that is not answered by then is given up, its connection with it: what holds a call must not hang. */
export const QUERY_MS = 5000;
/** Few: what has to be stored goes in one statement at a time. */
const CONNECTIONS = 4;

/**
 * @param onError hears of connections that break while nobody uses them
 * @throws {ClusterError} where `pg` is not installed
 */
export async function openPg(options: PostgresOptions, onError: (error: unknown) => void): Promise<Query> {
  let pg: typeof Pg;
  try {
    pg = await import("pg");
  } catch (error) {
    throw new ClusterError("holdfast/cluster needs the package pg: npm install pg", { cause: error });
  }
  const { Pool } = pg.default ?? pg;
  const pool = new Pool({
    max: CONNECTIONS,
    keepAlive: true,
    connectionTimeoutMillis: QUERY_MS,
    query_timeout: QUERY_MS,
    allowExitOnIdle: true,
    ...(typeof options === "string" ? { connectionString: options } : options),
  });
  pool.on("error", onError);
  const query = async <Row extends object>(text: string, values: readonly PgValue[] = []): Promise<Row[]> => {
    const { rows } = await pool.query<Row>(text, [...values]);
    return rows;
  };
  return Object.assign(query, { end: () => pool.end() });
}

/** The database's own code for an error; undefined where it did not come from there. */
export function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
