/**
 * `holdfast/node`: `holdfast/local` and an HTTP server on Node, by way of `@hono/node-server`.
 * @module
 */
import { createAdaptorServer } from "@hono/node-server";
import {
  DEFAULT_HOSTNAME,
  DEFAULT_PORT,
  PortInUseError,
  serverOf,
  type ServeOptions,
  type Server,
} from "./serve.ts";

export * from "./index.ts";
export { PortInUseError, type ServeOptions, type Server } from "./serve.ts";

const IDLE_LOOK_MS = 20;

/** Of the servers that the adaptor can make, the one of HTTP/1.1. */
type HttpServer = Extract<ReturnType<typeof createAdaptorServer>, { closeAllConnections(): void }>;

/**
 * Listens. Rejects where it cannot; it never ends the process.
 * @throws {PortInUseError}
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const { fetch, port = DEFAULT_PORT, hostname = DEFAULT_HOSTNAME, onClose } = options;
  const http = createAdaptorServer({ fetch: fetch as (request: Request) => Promise<Response> }) as HttpServer;
  await new Promise<void>((resolve, reject) => {
    // A port in use is not thrown by `listen`: it is told later.
    http.once("error", (error: Error & { code?: string }) =>
      reject(error.code === "EADDRINUSE" ? new PortInUseError(port, error) : error),
    );
    http.listen(port, hostname, resolve);
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
