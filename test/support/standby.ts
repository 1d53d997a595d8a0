/** A standby of a server of Postgres, by streaming replication. @module */
import { spawnSync } from "node:child_process";
import { writeFileSync, chownSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { type EmbeddedPostgres, identity, startPostgres } from "../../examples/cluster/embedded-postgres.ts";
import { eventually } from "./wait.ts";
import { freePort } from "./workerd.ts";

export interface Standby extends EmbeddedPostgres {
  /** Ends its being one: it takes writes from then on. */
  promote(): Promise<void>;
}

const NAME = "standby";

async function asked<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

/**
 * Starts one from a copy of the primary as it runs; resolves once it streams.
 * @param through the port at which it reaches the primary
 */
export async function startStandby(
  primary: EmbeddedPostgres,
  { isSynchronous, through = primary.port }: { readonly isSynchronous: boolean; readonly through?: number },
): Promise<Standby> {
  const server = await startPostgres({
    port: await freePort(),
    settings: [
      `primary_conninfo=host=127.0.0.1 port=${through} user=postgres application_name=${NAME}`,
      "hot_standby=on",
      "wal_receiver_status_interval=1s",
    ],
    async make(directory) {
      const client = new Client({ connectionString: primary.url });
      await client.connect();
      try {
        await client.query("SELECT pg_backup_start('standby', true)");
        // There is no pg_basebackup among the programs: what it does is this.
        const { status, stderr } = spawnSync("cp", ["-a", primary.directory, directory], {
          ...identity,
          encoding: "utf8",
        });
        // What went while it was copied is in the log.
        if (status !== 0 && !stderr.includes("No such file")) throw new Error(`cp failed: ${stderr}`);
        const { rows } = await client.query<{ labelfile: string }>(
          "SELECT labelfile FROM pg_backup_stop(false)",
        );
        spawnSync("rm", ["-f", join(directory, "postmaster.pid"), join(directory, "postmaster.opts")]);
        const files = { backup_label: rows[0]?.labelfile ?? "", "standby.signal": "" };
        for (const [name, text] of Object.entries(files)) {
          const path = join(directory, name);
          writeFileSync(path, text);
          if (identity.uid !== undefined) chownSync(path, identity.uid, identity.gid ?? 0);
        }
      } finally {
        await client.end();
      }
    },
  });
  if (isSynchronous) {
    await asked(primary.url, `ALTER SYSTEM SET synchronous_standby_names = '${NAME}'`);
    await asked(primary.url, "SELECT pg_reload_conf()");
  }
  await eventually(async () => {
    const [row] = await asked<{ sync_state: string }>(
      primary.url,
      "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'",
    );
    if (row?.sync_state !== (isSynchronous ? "sync" : "async")) throw new Error("it does not stream yet");
  }, 30_000);
  return Object.assign(server, {
    async promote() {
      const [row] = await asked<{ done: boolean }>(server.url, "SELECT pg_promote(true, 30) AS done");
      if (row?.done !== true) throw new Error("it could not be promoted");
    },
  });
}
