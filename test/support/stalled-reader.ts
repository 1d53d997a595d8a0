/** A client on a bare TCP socket that reads the beginning of a stream and then nothing more. @module */
import { connect } from "node:net";
import { within } from "./wait.ts";

export interface StalledReader {
  /** The last event id read before it stalled. */
  readonly lastEventId: string;
  close(): void;
}

/** Sends the request, reads up to the first event id, and stalls with its connection open. */
export function stall(
  url: string,
  {
    method = "GET",
    headers = {},
    body = "",
  }: { method?: string; headers?: Record<string, string>; body?: string },
): Promise<StalledReader> {
  const { hostname, port, pathname, host } = new URL(url);
  const lines = Object.entries({ Host: host, "Content-Length": String(Buffer.byteLength(body)), ...headers });
  const stalled = new Promise<StalledReader>((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const lastEventId = /^id: (\S+)\n/m.exec(text)?.[1];
      if (lastEventId === undefined) return;
      socket.pause().removeAllListeners("data");
      resolve({ lastEventId, close: () => socket.destroy() });
    });
    socket.on("error", reject);
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    socket.write(`${method} ${pathname} HTTP/1.1\r\n${head}\r\n${body}`);
  });
  return within(stalled, `the beginning of ${method} ${url}`);
}
