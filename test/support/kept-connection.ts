/** A client on one bare TCP socket, which sends each request whole before it reads a byte of the answer. @module */
import { once } from "node:events";
import { connect } from "node:net";
import { within } from "./wait.ts";

export interface KeptConnection {
  /** Sends one POST, then reads its answer, whose length must be announced. Rejects where the connection broke. */
  post(path: string, request: Post): Promise<{ status: number; head: string; body: string }>;
  leave(): void;
}

export interface Post {
  /** In place of those that an MCP client sends. */
  readonly headers?: Readonly<Record<string, string>>;
  /** One byte a character. */
  readonly body: string;
  readonly isChunked?: boolean;
}

const HEADERS = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" };

export async function keptConnection(url: string): Promise<KeptConnection> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  const broken = new Promise<never>((_, reject) => {
    socket.on("error", reject).on("close", () => reject(new Error("the connection was closed")));
  });
  broken.catch(() => {});

  const read = async (): Promise<{ status: number; head: string; body: string }> => {
    let received = "";
    for (;;) {
      const end = received.indexOf("\r\n\r\n");
      const head = received.slice(0, Math.max(end, 0));
      const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
      if (end >= 0 && received.length >= end + 4 + length)
        return { status: Number(head.split(" ")[1]), head, body: received.slice(end + 4) };
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) await Promise.race([once(socket, "readable"), broken]);
      else received += chunk.toString("latin1");
    }
  };

  return {
    async post(path, { headers = {}, body, isChunked = false }) {
      const framing: Record<string, string> = isChunked
        ? { "Transfer-Encoding": "chunked" }
        : { "Content-Length": String(body.length) };
      const lines = Object.entries({ Host: host, ...HEADERS, ...headers, ...framing });
      const text = isChunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
      const head = `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
      const sent = new Promise<void>((resolve) => socket.write(head + text, "latin1", () => resolve()));
      await within(Promise.race([sent, broken]), `POST ${path} being taken`);
      return within(read(), `an answer to POST ${path}`);
    },
    leave: () => void socket.destroy(),
  };
}
