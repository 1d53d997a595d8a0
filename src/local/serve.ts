/** What `serve` is on every runtime: what it takes, what it gives, how it fails. @module */

export interface ServeOptions {
  /** Answers each request: `app.fetch` of a Hono app. */
  // A method, so that an app fits whatever bindings it declares.
  fetch(request: Request, env: never): Response | Promise<Response>;
  /** 8787 by default; 0 takes any that is free. */
  port?: number;
  /** The address to bind; 127.0.0.1 by default, which the machine itself alone can reach. */
  hostname?: string;
  /** Runs as the server closes, before connections are cut: `close` of what `createLocalMcp` gives. */
  onClose?: () => void | Promise<void>;
}

export interface Server {
  readonly port: number;
  readonly url: string;
  /** Ends streams, lets other answers finish within a second, and stops listening. */
  close(): Promise<void>;
}

/** Another process listens on the port. */
export class PortInUseError extends Error {
  readonly port: number;

  constructor(port: number, cause: unknown) {
    super(`Port ${port} is already in use`, { cause });
    this.name = "PortInUseError";
    this.port = port;
  }
}

export const DEFAULT_PORT = 8787;
export const DEFAULT_HOSTNAME = "127.0.0.1";

/** How long answers under way may take to finish once the server closes. */
const FINISH_MS = 1000;

/** What a runtime's own server must offer. */
export interface Listener {
  readonly port: number;
  /** Stops listening; resolves once all connections are over. */
  stop(): Promise<void>;
  /** Cuts the connections that are left. */
  cut(): void;
}

export function serverOf(hostname: string, listener: Listener, onClose: ServeOptions["onClose"]): Server {
  const { port } = listener;
  const close = async (): Promise<void> => {
    const stopped = listener.stop();
    await onClose?.();
    const timer = setTimeout(() => listener.cut(), FINISH_MS);
    await stopped;
    clearTimeout(timer);
  };
  let closing: Promise<void> | undefined;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return { port, url: `http://${host}:${port}`, close: () => (closing ??= close()) };
}
