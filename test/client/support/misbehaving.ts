/** Servers that answer no `connect` as they should. @module */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { cleanups } from "./cleanup.ts";

export type Handle = (request: IncomingMessage, response: ServerResponse) => void;

export function status(code: number): Handle {
  return (_, response) => response.writeHead(code).end("no");
}

/** The URL of a server that does this with every request. */
export async function misbehaving(handle: Handle): Promise<string> {
  const server: Server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}
