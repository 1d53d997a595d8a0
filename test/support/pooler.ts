/**
 * A pooler in front of Postgres that pools transactions. With `HOLDFAST_TEST_PGBOUNCER=<program>` it is a real PgBouncer;
 * without, a stand-in that does what matters of one: what a client sends up to the end of a transaction goes to any of a
 * few connections, each time another, so that nothing of a session, a prepared name above all, is there the next time.
 * It knows no passwords, no cancellation and no COPY.
 * @module
 */
import { spawn } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { identity } from "../../examples/cluster/embedded-postgres.ts";
import { eventually } from "./wait.ts";
import { freePort } from "./workerd.ts";

export interface Pooler {
  readonly port: number;
  close(): Promise<void>;
}

const SSL_REQUEST = 80_877_103;
const CONNECTIONS = 4;
const [READY, SYNC, QUERY, TERMINATE] = ["Z", "S", "Q", "X"].map((letter) => letter.charCodeAt(0));
const IDLE = "I".charCodeAt(0);

export function startPooler(database: URL): Promise<Pooler> {
  const program = process.env["HOLDFAST_TEST_PGBOUNCER"];
  return program === undefined || program === "" ? startStandIn(database) : startPgBouncer(program, database);
}

async function startPgBouncer(program: string, database: URL): Promise<Pooler> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-pooler-"));
  const port = await freePort();
  const name = database.pathname.slice(1);
  const file = join(folder, "pgbouncer.ini");
  writeFileSync(
    file,
    `[databases]
${name} = host=127.0.0.1 port=${database.port} dbname=${name} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${CONNECTIONS}
`,
  );
  if (identity.uid !== undefined)
    for (const path of [folder, file]) chownSync(path, identity.uid, identity.gid ?? 0);
  const child = spawn(program, [file], { ...identity, stdio: "ignore", cwd: folder });
  const gone = new Promise((resolve) => child.once("exit", resolve));
  const url = Object.assign(new URL(database), { port: String(port) }).href;
  await eventually(async () => {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.end();
  });
  return {
    port,
    async close() {
      child.kill("SIGKILL");
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Whole messages, of which each has its kind, or none where it begins a connection. */
function messages(hasKind: boolean, onMessage: (message: Buffer) => void): (chunk: Buffer) => void {
  let held = Buffer.alloc(0);
  const head = (): number => (hasKind || !isFirst ? 1 : 0);
  let isFirst = true;
  return (chunk) => {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      if (held.length < head() + 4) return;
      const size = head() + held.readInt32BE(head());
      if (held.length < size) return;
      const message = held.subarray(0, size);
      held = held.subarray(size);
      // Asked whether it speaks TLS, it says no, and is told the same as one that was not asked.
      if (isFirst && !(head() === 0 && message.readInt32BE(4) === SSL_REQUEST)) isFirst = false;
      onMessage(message);
    }
  };
}

interface Backend {
  readonly socket: Socket;
  /** Whose transaction it has; undefined while it is idle. */
  client: ((message: Buffer) => void) | undefined;
}

async function startStandIn(database: URL): Promise<Pooler> {
  const backends: Backend[] = [];
  const waiting: (() => void)[] = [];
  const open = new Set<Socket>();
  let turn = 0;

  const startup = (): Buffer => {
    const text = Buffer.from(`user\0postgres\0database\0${database.pathname.slice(1)}\0\0`);
    const head = Buffer.alloc(8);
    head.writeInt32BE(text.length + 8, 0);
    head.writeInt32BE(196_608, 4);
    return Buffer.concat([head, text]);
  };

  const connectBackend = async (): Promise<Backend> => {
    const socket = connect(Number(database.port), "127.0.0.1");
    open.add(socket);
    const backend: Backend = { socket, client: undefined };
    await new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      let isReady = false;
      socket.on(
        "data",
        messages(true, (message) => {
          if (!isReady) {
            isReady = message[0] === READY;
            if (isReady) resolve();
            return;
          }
          backend.client?.(message);
        }),
      );
      socket.write(startup());
    });
    return backend;
  };
  for (let n = 0; n < CONNECTIONS; n++) backends.push(await connectBackend());

  const take = async (): Promise<Backend> => {
    for (;;) {
      for (let n = 0; n < backends.length; n++) {
        const backend = backends[turn++ % backends.length] as Backend;
        if (backend.client === undefined) return backend;
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };

  const server = createServer((client) => {
    open.add(client);
    client.on("error", () => {});
    client.on("close", () => open.delete(client));
    let isIn = false;
    let batch: Buffer[] = [];
    /** Where its transaction is, from its first statement to its end. */
    let pinned: Backend | undefined;
    let sending: Promise<void> = Promise.resolve();

    const send = async (all: Buffer): Promise<void> => {
      const backend = pinned ?? (await take());
      pinned = backend;
      await new Promise<void>((resolve) => {
        backend.client = (message) => {
          if (!client.destroyed) client.write(message);
          if (message[0] !== READY) return;
          if (message[5] === IDLE) {
            pinned = undefined;
            backend.client = undefined;
            waiting.shift()?.();
          }
          resolve();
        };
        backend.socket.write(all);
      });
    };

    client.on(
      "data",
      messages(false, (message) => {
        if (!isIn) {
          if (message.readInt32BE(4) === SSL_REQUEST) return void client.write("N");
          isIn = true;
          client.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, READY ?? 0, 0, 0, 0, 5, IDLE]));
          return;
        }
        if (message[0] === TERMINATE) return void client.end();
        batch.push(message);
        if (message[0] !== SYNC && message[0] !== QUERY) return;
        const all = Buffer.concat(batch);
        batch = [];
        sending = sending.then(() => send(all));
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
