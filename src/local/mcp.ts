/** The router and the host of one process, put together. @module */
import type { Env, Hono } from "hono";
import type { Notifier } from "../changes.ts";
import { OPTIONS } from "../options.ts";
import { numberOf, textOf, unknownVariables, withVariables } from "../variables.ts";
import { loggedHere } from "./terminal.ts";
import { ROUTER_OPTIONS, type RouterOptions } from "../router.ts";
import type { Sessions } from "../sessions.ts";
import { checkGiven } from "../setup.ts";
import type { Users } from "../user/user.ts";
import { createLocalHost, HOST_OPTIONS, type LocalHost, type LocalHostOptions } from "./host.ts";
import { overHost, readEnv } from "./over-host.ts";

/** Options of the router and of the host, in one. */
export interface LocalMcpOptions<Shared = unknown, E extends Env = Env>
  extends Omit<LocalHostOptions<Shared>, "env">, Omit<RouterOptions<E>, "host" | "hub" | "requests"> {
  /**
   * What `createServer` gets as `env`: secrets, connections, whatever all servers share.
   *
   * `HOLDFAST_*` variables of the process are settings where the code gives none, and those of this object before
   * them (`docs/options.md`); `false` leaves all of them unread.
   */
  env?: Shared | false;
}

/** An MCP server in one process: what to serve, and what to tell it. */
export interface LocalMcp<E extends Env = Env> {
  /** The Hono app: to be served, or mounted in another. */
  router: Hono<E>;
  host: LocalHost;
  sessions: Sessions;
  /** Tells clients of both eras that something changed. */
  notify: Notifier;
  /** The same within one topic. */
  notifyTopic(topic: string): Notifier;
  /** Users' state, from anywhere in the process. */
  users: Users;
  /** Ends all streams, with the hint to come back, and closes the database. */
  close(): Promise<void>;
}

/**
 * Makes the router and the host behind it.
 * @throws {RangeError | TypeError} naming an option that is wrong
 * @throws {DatabaseError} where the database file cannot be used
 * @example
 * const mcp = createLocalMcp({ createServer, database: "sessions.db" });
 * const server = await serve({ fetch: mcp.router.fetch, onClose: mcp.close });
 */
export function createLocalMcp<Shared = unknown, E extends Env = Env>(
  options: LocalMcpOptions<Shared, E>,
): LocalMcp<E> {
  return assembleLocalMcp(options).mcp;
}

/**
 * The same, by a clock of the caller's.
 * @param now the time in milliseconds; timers do not hear of it when it is moved: `catchUp` does what is due then
 */
export function assembleLocalMcp<Shared, E extends Env>(
  options: LocalMcpOptions<Shared, E>,
  now: () => number = () => Date.now(),
): { readonly mcp: LocalMcp<E>; catchUp(): Promise<void> } {
  checkGiven("createLocalMcp", options, { ...OPTIONS, ...ROUTER_OPTIONS, ...HOST_OPTIONS });
  const { env, createServer, database, evictAfterMs, ...given } = options;
  const { shared, variables } = readEnv(env);
  const routed = loggedHere(withVariables(given, variables));
  const host = createLocalHost<Shared>(
    {
      ...routed,
      createServer,
      env: shared,
      database: database ?? textOf(variables, "HOLDFAST_DB"),
      evictAfterMs: evictAfterMs ?? numberOf(variables, "HOLDFAST_EVICT_AFTER_MS"),
      guest: given.modern?.guest,
    },
    { warnings: unknownVariables(variables), now },
  );
  return { mcp: overHost(host, routed, { createServer, env: shared }), catchUp: host.catchUp };
}
