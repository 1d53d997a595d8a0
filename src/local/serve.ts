/** What `serve` is on every runtime: what it takes, what it gives, how it fails. @module */
import { ANYTHING, checkGiven, FUNCTION, type Kind, STRING, needed } from "../setup.ts";
import { textOf } from "../variables.ts";
import { environment } from "./environment.ts";

/** What to serve, and where. */
export interface ServeOptions {
  /** Answers each request: `app.fetch` of a Hono app. */
  // A method, so that an app fits whatever bindings it declares.
  fetch(request: Request, env: never): Response | Promise<Response>;
  /** The variable `HOLDFAST_PORT`, else `PORT`, else 8787, by default; 0 takes any that is free. */
  port?: number;
  /**
   * The address to bind; the variable `HOLDFAST_HOST`, else 127.0.0.1, by default, which the machine itself alone can
   * reach. In a container it is `0.0.0.0`.
   */
  hostname?: string;
  /**
   * How long an idle connection stays open, in milliseconds; 65 000 by default. More than the 60 s that
   * proxies keep theirs for: one that closes first is sent requests that get no answer. On Node only; Deno
   * and Bun never close first.
   */
  keepAliveTimeoutMs?: number;
  /**
   * How long a client may take nothing of an answer, in milliseconds, before its connection is cut; 120 000 by
   * default, 0 for ever. Any progress counts, however slow. On Node only; streams have `sendTimeoutMs` besides, everywhere.
   */
  writeTimeoutMs?: number;
  /** Runs as the server closes, before connections are cut: `close` of what `createLocalMcp` gives. */
  onClose?: () => void | Promise<void>;
}

/** An HTTP server that listens. */
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

/** The port where neither the code nor a variable names one. */
const DEFAULT_PORT = 8787;
/** Where nothing names an address: this machine alone. */
const DEFAULT_HOSTNAME = "127.0.0.1";

/** Above what common proxies keep idle connections for (nginx and AWS: 60 s). */
const KEEP_ALIVE_MS = 65_000;
/** Above the 90 s after which, by default, a stream's own guard ends it and says why. */
const WRITE_TIMEOUT_MS = 120_000;
/** A day: within what timers count, and more than anybody needs. */
const LONGEST_MS = 86_400_000;

/**
 * Connections that wait to be accepted: as many as the machine allows, which cuts it to its own limit. After a restart all
 * clients come back at once, and those for whom the 511 of Node and Deno have no room are not refused but dropped:
 * their systems try again after 1, 3, 7, 15, 31 s, and of 20,000 a third was gone for more than half a minute.
 */
export const BACKLOG = 65_535;

const KINDS: Required<{ [Name in keyof ServeOptions]: Kind }> = {
  fetch: needed(FUNCTION),
  onClose: FUNCTION,
  hostname: STRING,
  port: ANYTHING,
  keepAliveTimeoutMs: ANYTHING,
  writeTimeoutMs: ANYTHING,
};

/** What {@link ServeOptions} come to. */
export interface Serving extends Pick<ServeOptions, "fetch" | "onClose"> {
  readonly port: number;
  readonly hostname: string;
  readonly keepAliveMs: number;
  readonly writeMs: number;
}

/**
 * The options of `serve`, checked and complete.
 * @throws {RangeError | TypeError} naming the option, or the variable, that is wrong
 */
export function servingOf(options: ServeOptions): Serving {
  // An app, or what createLocalMcp returns: each has a router, and is what people hand over whole.
  if (typeof options === "object" && options !== null && "router" in options) {
    throw new TypeError(
      "serve takes { fetch: mcp.router.fetch, onClose: mcp.close }, and not the app or the server itself",
    );
  }
  checkGiven("serve", options, KINDS);
  const { keepAliveTimeoutMs = KEEP_ALIVE_MS, writeTimeoutMs = WRITE_TIMEOUT_MS } = options;
  const check = (name: string, value: number, least: number): number => {
    if (Number.isInteger(value) && value >= least && value <= LONGEST_MS) return value;
    throw new RangeError(
      `${name} must be a whole number from ${least} to ${LONGEST_MS}, not ${String(value)}`,
    );
  };
  const variables = environment();
  const { HOLDFAST_PORT, PORT } = variables;
  const port =
    options.port === undefined
      ? (portOf(HOLDFAST_PORT, "HOLDFAST_PORT") ?? portOf(PORT, "PORT") ?? DEFAULT_PORT)
      : portOf(options.port, "port");
  return {
    // Called as a method of the options, whose `this` it may need.
    fetch: (request, env) => options.fetch(request, env),
    onClose: options.onClose,
    port: port as number,
    hostname: options.hostname ?? textOf(variables, "HOLDFAST_HOST") ?? DEFAULT_HOSTNAME,
    keepAliveMs: check("keepAliveTimeoutMs", keepAliveTimeoutMs, 1000),
    writeMs: check("writeTimeoutMs", writeTimeoutMs, 0),
  };
}

/**
 * A port as an option, a flag or a variable gives it; undefined for nothing and for a blank variable.
 * @throws {RangeError} by the name that it is given
 */
export function portOf(given: unknown, name: string): number | undefined {
  if (String(given ?? "").trim() === "") return undefined;
  const port = Number(given);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new RangeError(`${name} must be a port from 0 to 65535, not ${String(given)}`);
  }
  return port;
}

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

/** The server around a runtime's listener; it closes once, however often it is told to. */
export function serverOf(hostname: string, listener: Listener, onClose: Serving["onClose"]): Server {
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
