/** `holdfast/deno`: `holdfast/local` and an HTTP server on Deno. @module */
import { BACKLOG, PortInUseError, serverOf, type ServeOptions, type Server, servingOf } from "./serve.ts";

export * from "./index.ts";
export { PortInUseError, type ServeOptions, type Server } from "./serve.ts";

/** The part of `Deno` that is used: this file compiles without Deno's types. */
interface Runtime {
  serve(
    options: {
      port: number;
      hostname: string;
      tcpBacklog: number;
      signal: AbortSignal;
      onListen: () => void;
    },
    handler: (request: Request, info: never) => Response | Promise<Response>,
  ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> };
}

/**
 * Listens. Rejects where it cannot; it never ends the process.
 * @throws {PortInUseError}
 * @throws {RangeError | TypeError} naming an option, or a variable, that is wrong
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const { fetch, port, hostname, onClose } = servingOf(options);
  const { Deno: runtime } = globalThis as unknown as { Deno: Runtime };
  const cutting = new AbortController();
  try {
    const http = runtime.serve(
      { port, hostname, tcpBacklog: BACKLOG, signal: cutting.signal, onListen() {} },
      fetch,
    );
    return serverOf(
      hostname,
      { port: http.addr.port, stop: () => http.shutdown(), cut: () => cutting.abort() },
      onClose,
    );
  } catch (error) {
    throw error instanceof Error && error.name === "AddrInUse" ? new PortInUseError(port, error) : error;
  }
}
