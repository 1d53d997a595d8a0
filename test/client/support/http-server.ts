/** A server of Web requests on node:http that can die like a process: all at once, connections and all. @module */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";

export interface HttpServer {
  readonly url: string;
  /** Connections that are open now. */
  connections(): Promise<number>;
  /** Cuts every connection and listens no more. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): Promise<void>;
}

/** Serves `handle` on a free port of 127.0.0.1, or on `port`. */
export async function serveHttp(
  handle: (request: Request) => Response | Promise<Response>,
  port = 0,
): Promise<HttpServer> {
  let server: Server | undefined;
  const start = async (): Promise<void> => {
    const listener = getRequestListener(handle, { overrideGlobalObjects: false });
    const started = createServer((incoming, outgoing) => void listener(incoming, outgoing));
    server = started;
    await new Promise<void>((resolve, reject) => {
      started.once("error", reject).listen(port, "127.0.0.1", resolve);
    });
    ({ port } = started.address() as AddressInfo);
  };
  await start();
  return {
    url: `http://127.0.0.1:${port}`,
    connections: () =>
      new Promise((resolve, reject) => {
        server?.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      }),
    start,
    stop: () =>
      new Promise((resolve) => {
        server?.close(() => resolve());
        server?.closeAllConnections();
      }),
  };
}
