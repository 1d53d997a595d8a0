/**
 * `holdfast/testing`: your server in the process of your tests, on Node, Deno and Bun: clients without a network, a
 * clock that you move, and a kill that leaves what a SIGKILL leaves.
 * @module
 */
import type { Env } from "hono";
import { loadTransports, type SdkClient, type SdkTransports } from "../client/sdk.ts";
import { eventSink } from "../event-sink.ts";
import type { HoldfastEvent } from "../events.ts";
import { assembleLocalMcp, type LocalMcp, type LocalMcpOptions } from "../local/mcp.ts";
import { createFiles } from "./files.ts";
import { createWire, type WireFetch } from "./wire.ts";

export type { LocalMcp, LocalMcpOptions } from "../local/mcp.ts";
export type { SdkClient, SdkTransports } from "../client/sdk.ts";
export type { WireFetch } from "./wire.ts";

/**
 * The options of `createLocalMcp`, but for the file, which is the test's own. `retryMs` is 20 and `logLevel` is
 * `warn` where nothing else is given.
 */
export interface TestServerOptions<Shared = unknown, E extends Env = Env> extends Omit<
  LocalMcpOptions<Shared, E>,
  "database"
> {
  /** Your app around the router, where you have one: what a request goes through. The router itself by default. */
  app?: (mcp: LocalMcp<E>) => {
    /** Answers a request, as a Hono app does. */
    fetch(request: Request): Response | Promise<Response>;
  };
  /** Where clients find the server in it; `/mcp`, below `basePath`, by default. */
  path?: string;
}

/** How a client connects. */
export interface TestConnectOptions {
  /** Headers of each of its requests, as `Authorization`. */
  headers?: Record<string, string>;
  /** The SDK's transports. Default: those of the installed package that the client comes from. */
  transports?: SdkTransports;
}

/** A server under test. */
export interface TestServer<E extends Env = Env> {
  /** Where the server is for its clients: no socket listens there. */
  readonly url: string;
  /** For whatever takes a `fetch`: requests to `url` reach the server. */
  readonly fetch: WireFetch;
  /** What `createLocalMcp` gives, since the last start: `notify`, `sessions`, `users`. */
  readonly mcp: LocalMcp<E>;
  /** Milliseconds since 1970, as the server's sessions see it. */
  now(): number;
  /** Connects a client of SDK v1 or v2 over Streamable HTTP, without any helper of Holdfast's between; returns it. */
  connect<Client extends SdkClient>(client: Client, options?: TestConnectOptions): Promise<Client>;
  /**
   * Ends the server and starts it again on what is stored. `kill` (the default) is SIGKILL in this very moment:
   * connections break, nothing more is stored. `close` is the end of a process that is told to go: streams end with
   * the hint to come back, within two seconds. Code of your tools that is under way cannot be stopped by anybody: it
   * goes on, and whatever it says or stores reaches nobody.
   */
  restart(how?: "kill" | "close"): Promise<void>;
  /**
   * Moves the sessions' clock forward, and does what is due by then: sessions end, messages age, tasks expire, what is
   * unused leaves memory. Timers (keepalives, `quickAnswerMs`), credentials and your own code keep the real time.
   * @throws {RangeError} where it is not a number from 0 up
   */
  advance(ms: number): Promise<void>;
  /** Ends clients, server and files. */
  close(): Promise<void>;
}

const URL_OF_TESTS = "http://localhost/";
/** Ends in the same turn where a connection broke, and comes back within two of these. */
const RETRY_MS = 20;

/**
 * Starts your server for a test.
 * @param options options, or a function that makes them anew for each start: with `modern` it has to be one, as a
 *   handler ends with its process
 * @throws {RangeError | TypeError} naming an option that is wrong
 * @example
 * const server = testServer({ createServer });
 * const client = await server.connect(new Client({ name: "test", version: "1" }));
 * await server.restart();
 * await client.callTool({ name: "counter", arguments: {} }); // the same session goes on
 */
export function testServer<Shared = unknown, E extends Env = Env>(
  options: TestServerOptions<Shared, E> | (() => TestServerOptions<Shared, E>),
): TestServer<E> {
  const files = createFiles();
  const clients: SdkClient[] = [];
  /** Of processes that were killed: their code is still there, and lets go in its own time. */
  const dying: Promise<void>[] = [];
  let offset = 0;
  const now = (): number => Date.now() + offset;

  const start = () => {
    const given: TestServerOptions<Shared, E> = typeof options === "function" ? options() : { ...options };
    if (typeof options !== "function" && given.modern !== undefined) {
      throw new TypeError(
        "testServer takes options with `modern` from a function: testServer(() => ({ … }))",
      );
    }
    const { app, path, ...local } = given;
    const { onEvent, onDisconnect, basePath = "", logLevel = "warn" } = local;
    const log = eventSink(undefined, logLevel);
    const tell = onEvent ?? ((event: HoldfastEvent) => log(event.type, event as never));
    const process = { isAlive: true };
    const { mcp, catchUp } = assembleLocalMcp<Shared, E>(
      {
        retryMs: RETRY_MS,
        ...local,
        // The dead tell nothing.
        onEvent: (event) => (process.isAlive ? tell(event) : undefined),
        onDisconnect: onDisconnect && ((ended) => (process.isAlive ? onDisconnect(ended) : undefined)),
        database: files.path,
      },
      now,
    );
    const whole = app?.(mcp) ?? mcp.router;
    const url = new URL(path ?? `${basePath}/mcp`, URL_OF_TESTS).href;
    return { url, process, mcp, catchUp, wire: createWire((request) => whole.fetch(request)) };
  };

  let running: ReturnType<typeof start>;
  try {
    running = start();
  } catch (error) {
    files.remove();
    throw error;
  }

  const fetch: WireFetch = (input, init) => running.wire.fetch(input, init);
  const { url } = running;

  return {
    url,
    fetch,
    get mcp() {
      return running.mcp;
    },
    now,
    async connect(client, { headers, transports } = {}) {
      const { StreamableHTTPClientTransport } = transports ?? (await loadTransports(client));
      const transport = new StreamableHTTPClientTransport(new URL(url), {
        fetch,
        requestInit: { headers },
      } as never);
      await client.connect(transport as never);
      clients.push(client);
      return client;
    },
    async restart(how = "kill") {
      const { process, wire, mcp } = running;
      if (how === "close") {
        await mcp.close();
        // What it had to say has been said; connections do not outlast their process.
        wire.cut();
      } else {
        process.isAlive = false;
        files.fork();
        wire.cut();
        dying.push(mcp.close().catch(() => {}));
      }
      running = start();
    },
    async advance(ms) {
      if (!(ms >= 0 && ms < Infinity))
        throw new RangeError(`advance takes milliseconds from 0 up, not ${ms}`);
      offset += ms;
      await running.catchUp();
    },
    async close() {
      await Promise.all(clients.map((client) => client.close().catch(() => {})));
      await Promise.all([...dying, running.mcp.close()]);
      running.wire.cut();
      files.remove();
    },
  };
}
