/**
 * A database for tests: of a server of its own, or, with `HOLDFAST_TEST_POSTGRES=url`, a fresh one in that server.
 * @module
 */
import { Client, Pool } from "pg";
import { type EmbeddedPostgres, startPostgres } from "../../examples/cluster/embedded-postgres.ts";
import { freePort } from "./workerd.ts";

export interface TestDatabase {
  readonly url: string;
  /** The server, where it is this database's own: what can be killed. */
  readonly server: EmbeddedPostgres | undefined;
  /** Asks it, past everything. */
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/**
 * @param elsewhere the URL of a server to make it in; `own` for a server of its own, whatever the environment says: for
 * tests that kill it
 */
export async function testDatabase(
  elsewhere: string | undefined = process.env["HOLDFAST_TEST_POSTGRES"],
): Promise<TestDatabase> {
  const isElsewhere = elsewhere !== undefined && elsewhere !== "" && elsewhere !== "own";
  const server = isElsewhere ? undefined : await startPostgres({ port: await freePort() });
  const url = server?.url ?? (await freshDatabase(elsewhere ?? ""));
  const pool = new Pool({ connectionString: url, max: 2 });
  // A server that is killed is what some tests are about.
  pool.on("error", () => {});
  return {
    url,
    server,
    query: async <Row extends object>(text: string, values: unknown[] = []) =>
      (await pool.query<Row>(text, values)).rows,
    async close() {
      await pool.end();
      await server?.close();
    },
  };
}

async function freshDatabase(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  const name = `holdfast_${crypto.randomUUID().replaceAll("-", "")}`;
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}
