/**
 * What stands between a client and the server: TCP, passed on as it is and recorded. It can be gone, as a
 * network is, and it can damage one request on its way.
 * @module
 */
import { createWriteStream } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { freePort } from "../support/workerd.ts";

/** Longest part of a chunk that is written down. */
const RECORDED = 3000;

export interface Proxy {
  readonly url: string;
  /** Methods of the requests that came so far. */
  readonly methods: readonly string[];
  /** Writes a remark into the record. */
  mark(text: string): void;
  up(): Promise<void>;
  /** Refuses connections from now on; those that are open stay. */
  down(): void;
  /** Breaks all connections: abruptly, or as a peer does that ends. */
  cut(how: "reset" | "end"): void;
  /** Resolves once a client has sent this, or at the limit. */
  untilSent(text: string, limitMs: number): Promise<void>;
  /** The next POST names a protocol version that does not exist. Tells whether one came by. */
  damageNext(): () => boolean;
  close(): void;
}

export async function startProxy(target: number, recordFile: string): Promise<Proxy> {
  const port = await freePort();
  const record = createWriteStream(recordFile);
  const began = Date.now();
  const write = (text: string): void =>
    void record.write(`${((Date.now() - began) / 1000).toFixed(3)} ${text.slice(0, RECORDED)}\n`);
  const sockets = new Set<Socket>();
  const methods: string[] = [];
  let connections = 0;
  const awaited = new Map<string, () => void>();
  let damage: (() => void) | undefined;
  let listener: Server | undefined;

  const requestBytes = (chunk: Buffer): Buffer => {
    const text = chunk.toString("latin1");
    for (const [, method = ""] of text.matchAll(/^(GET|POST|DELETE) \S+ HTTP\/1\.1\r$/gm))
      methods.push(method);
    for (const [sought, tell] of awaited) if (text.includes(sought)) tell();
    const version = /(\r\nmcp-protocol-version: *)\d{4}-\d\d-\d\d\r\n/i.exec(text);
    if (damage === undefined || !text.startsWith("POST ") || version === null) return chunk;
    damage();
    damage = undefined;
    return Buffer.from(text.replace(version[0], `${version[1]}1999-01-01\r\n`), "latin1");
  };

  const carry = (client: Socket): void => {
    const name = `#${++connections}`;
    const server = connect(target, "127.0.0.1");
    sockets.add(client);
    client.setNoDelay();
    server.setNoDelay();
    client.on("data", (chunk: Buffer) => {
      const bytes = requestBytes(chunk);
      write(`${name} > ${bytes.toString()}`);
      if (!server.write(bytes)) client.pause();
    });
    server.on("drain", () => client.resume());
    server.on("data", (chunk: Buffer) => write(`${name} < ${chunk.toString()}`));
    client.on("end", () => server.end());
    server.pipe(client);
    client.on("error", () => server.destroy());
    client.on("close", () => {
      server.destroy();
      sockets.delete(client);
    });
    server.on("error", () => client.destroy());
    server.on("close", () => {
      client.end();
      setTimeout(() => client.destroy(), 50);
    });
  };

  const up = async (): Promise<void> => {
    listener = createServer({ allowHalfOpen: true }, carry);
    listener.listen(port, "127.0.0.1");
    await once(listener, "listening");
    write("==== up");
  };
  const down = (): void => {
    write("==== down");
    listener?.close();
  };
  const cut = (how: "reset" | "end"): void => {
    for (const socket of sockets) {
      if (how === "end") socket.end();
      else socket.destroy();
    }
  };
  await up();
  return {
    url: `http://127.0.0.1:${port}`,
    methods,
    mark: (text) => write(`==== ${text}`),
    up,
    down,
    cut,
    async untilSent(text, limitMs) {
      const { promise, resolve } = Promise.withResolvers<void>();
      awaited.set(text, resolve);
      const timer = setTimeout(resolve, limitMs);
      await promise;
      clearTimeout(timer);
      awaited.delete(text);
    },
    damageNext() {
      let isDone = false;
      damage = () => (isDone = true);
      return () => isDone;
    },
    close() {
      down();
      cut("reset");
      record.end();
    },
  };
}
