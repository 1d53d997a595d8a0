/**
 * A database for tests: of a server of its own, or, with `HOLDFAST_TEST_POSTGRES=url`, a fresh one in that server.
 * @module
 */
import { existsSync, renameSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { Client, Pool } from "pg";
import { type EmbeddedPostgres, startPostgres } from "../../examples/cluster/embedded-postgres.ts";
import manifest from "../../package.json" with { type: "json" };
import { CACHE, run } from "./process.ts";
import { freePort } from "./workerd.ts";

export interface TestDatabase {
  readonly url: string;
  /** The server, where it is this database's own: what can be killed. */
  readonly server: EmbeddedPostgres | undefined;
  /** Asks it, past everything. */
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** The first data directory that was made, for all others to be copies of: to make one takes four times as long. */
const FIRST = join(CACHE, `postgres-${manifest.devDependencies["embedded-postgres"]}`);

/** With owners and modes: a copy is another user's than this process's, where that is root. */
async function copy(from: string, to: string): Promise<void> {
  const { code, stderr } = await run(["cp", "-pR", from, to]);
  if (code !== 0) throw new Error(`cp failed: ${stderr}`);
}

async function makeDirectory(directory: string, initialise: () => void): Promise<void> {
  if (existsSync(FIRST)) return copy(FIRST, directory);
  initialise();
  const unfinished = `${FIRST}.${process.pid}`;
  await copy(directory, unfinished);
  try {
    renameSync(unfinished, FIRST);
  } catch {
    // Another file's was there first.
    rmSync(unfinished, { recursive: true });
  }
}

/** Where Linux has memory for files. */
const MEMORY = "/dev/shm";
/** Bytes for several servers at once. */
const ENOUGH = 2 ** 30;

/**
 * Memory, where there is enough of it: a server is a thousand small files, which a disk takes half a second of processor
 * time to make. What is written survives the kill of a process there too, and no test cuts the power.
 */
function memory(): string | undefined {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize > ENOUGH ? MEMORY : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param elsewhere the URL of a server to make it in; `own` for a server of its own, whatever the environment says: for
 * tests that kill it
 */
export async function testDatabase(
  elsewhere: string | undefined = process.env["HOLDFAST_TEST_POSTGRES"],
): Promise<TestDatabase> {
  const isElsewhere = elsewhere !== undefined && elsewhere !== "" && elsewhere !== "own";
  const server = isElsewhere
    ? undefined
    : await startPostgres({ port: await freePort(), make: makeDirectory, folder: memory() });
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
