/**
 * `holdfast/node`: `holdfast/local` and an HTTP server on Node, by way of `@hono/node-server`.
 * @module
 */
import type * as adaptorModule from "@hono/node-server";
import {
  BACKLOG,
  PortInUseError,
  serverOf,
  type ServeOptions,
  type Server,
  type Serving,
  servingOf,
} from "./serve.ts";

export * from "./index.ts";
export { PortInUseError, type ServeOptions, type Server } from "./serve.ts";

const IDLE_LOOK_MS = 20;
/** Node's own defaults, which a longer keep-alive must not outlast. */
const HEADERS_MS = 60_000;
const REQUEST_MS = 300_000;

/** Of the servers that the adaptor can make, the one of HTTP/1.1. */
type HttpServer = Extract<
  ReturnType<typeof adaptorModule.createAdaptorServer>,
  { closeAllConnections(): void }
>;

/**
 * Listens. Rejects where it cannot; it never ends the process.
 * @throws {PortInUseError}
 * @throws {RangeError | TypeError} naming an option, or a variable, that is wrong
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const serving = servingOf(options);
  const { fetch, port, hostname, onClose } = serving;
  const { createAdaptorServer } = await adaptor();
  const http = createAdaptorServer({ fetch: fetch as (request: Request) => Promise<Response> }) as HttpServer;
  limitTimes(http, serving);
  await new Promise<void>((resolve, reject) => {
    // A port in use is not thrown by `listen`: it is told later.
    http.once("error", (error: Error & { code?: string }) =>
      reject(error.code === "EADDRINUSE" ? new PortInUseError(port, error) : error),
    );
    http.listen(port, hostname, BACKLOG, resolve);
  });
  const address = http.address();
  return serverOf(
    hostname,
    {
      port: typeof address === "object" && address !== null ? address.port : port,
      stop: () =>
        new Promise((resolve) => {
          // `close` cuts the connections that are idle now; those whose answers are under way become so later.
          const idle = setInterval(() => http.closeIdleConnections(), IDLE_LOOK_MS);
          http.close(() => {
            clearInterval(idle);
            resolve();
          });
        }),
      cut: () => http.closeAllConnections(),
    },
    onClose,
  );
}

/**
 * Not imported with this file: it is an optional peer, and whoever has a server of his own needs none.
 * @throws {Error} that says what to install
 */
function adaptor(): Promise<typeof adaptorModule> {
  return import("@hono/node-server").catch((cause: Error & { code?: string }) => {
    if (cause.code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new Error("serve of holdfast/node needs @hono/node-server: npm install @hono/node-server", {
      cause,
    });
  });
}

/** Sets how long connections may be idle, and cuts clients that take nothing of their answers. */
function limitTimes(http: HttpServer, { keepAliveMs, writeMs }: Serving): void {
  http.keepAliveTimeout = keepAliveMs;
  http.headersTimeout = Math.max(HEADERS_MS, keepAliveMs + 1000);
  http.requestTimeout = Math.max(REQUEST_MS, http.headersTimeout);
  if (writeMs === 0) return;
  // The connection's own, which Node sets again after each keep-alive anyway; one for each answer costs a
  // fiftieth of a call.
  http.timeout = writeMs;
  http.on("request", (_request, response) => void response.on("timeout", cutStalled));
}

/** Of Node's `ServerResponse`, what is looked at. */
interface Answering {
  readonly socket: { readonly writableLength: number; destroy(): void } | null;
}

/**
 * Node counts each part of a write that leaves as life, so what is slow is not cut; it would take a stream without
 * keepalives, or a call that takes its time, for dead as well, and those have nothing to write.
 */
function cutStalled(this: Answering): void {
  const { socket } = this;
  // Ended, it would wait for the very reader that has stalled.
  if (socket !== null && socket.writableLength > 0) socket.destroy();
}
