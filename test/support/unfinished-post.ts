/** A POST, or another request, on a bare TCP socket whose body does not come to an end. @module */
import { connect } from "node:net";
import { within } from "./wait.ts";

export interface UnfinishedPost {
  /** The head of the answer, and what came after it by then. */
  readonly answer: Promise<{ status: number; head: string; body: string }>;
  /** Settles once the server has closed the connection. */
  readonly closed: Promise<void>;
  /** Sends more of the body. */
  write(text: string): void;
  leave(): void;
}

/**
 * Sends the head, and of the body what is given.
 * @param length what is announced; chunked where it is absent
 */
export function unfinishedPost(
  url: string,
  {
    method = "POST",
    headers = {},
    length,
    body = "",
  }: { method?: string; headers?: Readonly<Record<string, string>>; length?: number; body?: string },
): UnfinishedPost {
  const { hostname, port, pathname, search, host } = new URL(url);
  const lines: [string, string][] = [
    ["Host", host],
    ["Content-Type", "application/json"],
    ["Accept", "application/json, text/event-stream"],
    ...Object.entries(headers),
    length === undefined ? ["Transfer-Encoding", "chunked"] : ["Content-Length", String(length)],
  ];
  const socket = connect(Number(port), hostname);
  const write = (text: string): void => {
    if (text === "" || socket.destroyed) return;
    socket.write(length === undefined ? `${text.length.toString(16)}\r\n${text}\r\n` : text);
  };
  let received = "";
  const answer = new Promise<{ status: number; head: string; body: string }>((resolve, reject) => {
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      received += chunk;
      const end = received.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = received.slice(0, end);
      resolve({ status: Number(head.split(" ")[1]), head, body: received.slice(end + 4) });
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`closed without an answer: ${received}`)));
  });
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.write(
    `${method} ${pathname}${search} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
  );
  write(body);
  const waits = {
    answer: within(answer, `an answer to ${method} ${url}`),
    closed: within(closed, `the end of ${method} ${url}`),
  };
  // A test may be after one of the two alone.
  for (const wait of Object.values(waits)) wait.catch(() => {});
  return { ...waits, write, leave: () => void socket.destroy() };
}
