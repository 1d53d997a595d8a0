/** `holdfast/bun`: `holdfast/local` and an HTTP server on Bun. @module */
import { failed } from "../http/respond.ts";
import * as failures from "../jsonrpc/failures.ts";
import { PortInUseError, serverOf, type ServeOptions, type Server, servingOf } from "./serve.ts";

export * from "./index.ts";
export { PortInUseError, type ServeOptions, type Server } from "./serve.ts";

/** The part of `Bun` that is used: this file compiles without Bun's types. */
interface Runtime {
  serve(options: {
    port: number;
    hostname: string;
    idleTimeout: number;
    error: () => Response;
    fetch: (request: Request, server: never) => Response | Promise<Response>;
  }): { readonly port: number; stop(cut?: boolean): Promise<void> };
}

/**
 * Listens. Rejects where it cannot; it never ends the process.
 * @throws {PortInUseError}
 * @throws {RangeError | TypeError} naming an option, or a variable, that is wrong
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const { fetch, port, hostname, onClose } = servingOf(options);
  const { Bun: runtime } = globalThis as unknown as { Bun: Runtime };
  try {
    // Bun cuts connections that are silent for 10 s, by default: a quiet stream would not live to its first keepalive.
    // Switched off for one request alone, the limit does not come back for the next on its connection.
    const http = runtime.serve({
      port,
      hostname,
      idleTimeout: 0,
      // Bun's own page about an error shows source and stack to whoever asked. Not by `development: false`: with that
      // a second server on the port is no error.
      error: () => failed(failures.internalError),
      // Under a Host that is no name Bun gives a path for the URL, over which Hono throws.
      fetch: (request, server) =>
        request.url.startsWith("/") ? failed(failures.malformedHost) : fetch(request, server),
    });
    return serverOf(
      hostname,
      { port: http.port, stop: () => http.stop(), cut: () => void http.stop(true) },
      onClose,
    );
  } catch (error) {
    const { code } = error as { code?: string };
    throw code === "EADDRINUSE" ? new PortInUseError(port, error) : error;
  }
}
