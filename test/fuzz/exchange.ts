/** One HTTP exchange over a bare socket: whatever bytes are sent, and as much of the answer as is asked for. @module */
import { connect } from "node:net";

export interface Reply {
  readonly status: number;
  /** Names in lower case; what came twice is joined by a comma. */
  readonly headers: ReadonlyMap<string, string>;
  /** The body so far, without the framing of chunks. */
  readonly text: string;
}

export interface ExchangeOptions {
  readonly url: string;
  readonly bytes: string | Uint8Array;
  /** Whether the answer so far is enough; the connection is dropped then. By default it is read to its end. */
  readonly isEnough?: (reply: Reply) => boolean;
  /** How long the answer may take. */
  readonly ms: number;
}

/**
 * Undefined where the connection ended without an answer. Rejects where neither came in time.
 */
export function exchange({ url, bytes, isEnough, ms }: ExchangeOptions): Promise<Reply | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let received = Buffer.alloc(0);
    const finish = (reply: Reply | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reply);
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`not within ${ms} ms; so far: ${received.toString("latin1").slice(0, 2000)}`));
    }, ms);
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const reply = parse(received);
      if (reply !== undefined && (isEnough?.(reply) === true || isComplete(received, reply))) finish(reply);
    });
    socket.on("error", () => finish(parse(received)));
    socket.on("close", () => finish(parse(received)));
    socket.write(bytes);
  });
}

/** What there is of an answer, from its head on. An interim one (`100 Continue`) is passed over. */
function parse(bytes: Buffer): Reply | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(first)?.[1]);
  if (status >= 100 && status < 200) return parse(bytes.subarray(end + 4));
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value);
  }
  const body = bytes.subarray(end + 4);
  const isChunked = /chunked/i.test(headers.get("transfer-encoding") ?? "");
  return { status, headers, text: (isChunked ? unchunked(body) : body).toString("utf8") };
}

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const line = bytes.indexOf("\r\n", at);
    if (line === -1) break;
    const size = Number.parseInt(bytes.subarray(at, line).toString("latin1"), 16);
    if (!(size > 0)) break;
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

function isComplete(bytes: Buffer, { headers, status, text }: Reply): boolean {
  const length = headers.get("content-length");
  if (length !== undefined) return Buffer.byteLength(text) >= Number(length);
  if (status === 204 || status === 304) return true;
  return headers.has("transfer-encoding") && bytes.subarray(-5).toString("latin1") === "0\r\n\r\n";
}
