/**
 * `holdfast/cluster`: the same MCP server in several processes, on Node, Deno and Bun alike, over one Postgres. Any of
 * them answers any request.
 * @module
 */
import type { Env, Hono } from "hono";
import type { Notifier } from "../changes.ts";
import { messageOf } from "../log-text.ts";
import { overHost, readEnv } from "../local/over-host.ts";
import { OPTIONS, resolveOptions } from "../options.ts";
import { numberOf, textOf, unknownVariables, withVariables } from "../variables.ts";
import { ROUTER_OPTIONS, type RouterOptions } from "../router.ts";
import type { Sessions } from "../sessions.ts";
import { ANYTHING, checkGiven, type Kinds, STRING } from "../setup.ts";
import type { Users } from "../user/user.ts";
import { type ClusterHost, clusterHost, type ClusterHostOptions, HOST_OPTIONS } from "./host.ts";
import { openPg, type PostgresOptions } from "./pg.ts";
import { postgresEngine } from "./postgres.ts";

export * from "../index.ts";
export { type ClusterHost, clusterHost, type ClusterHostOptions } from "./host.ts";
export { ClusterError, type PostgresOptions } from "./pg.ts";
export type { Engine } from "./engine.ts";

const POSTGRES = "a URL, or the configuration of a pool of pg";
const MCP_OPTIONS: Kinds = { ...HOST_OPTIONS, address: STRING, postgres: ANYTHING };

/** Options of the router, of the host and of the database, in one. */
export interface ClusterMcpOptions<Shared = unknown, E extends Env = Env>
  extends
    Omit<ClusterHostOptions<Shared>, "env" | "address">,
    Omit<RouterOptions<E>, "host" | "hub" | "requests"> {
  /**
   * The Postgres that the processes share, 14 or later: a URL, or the configuration of a pool of `pg`. The variable
   * `HOLDFAST_POSTGRES` where it is not given.
   */
  postgres?: PostgresOptions;
  /** See {@link ClusterHostOptions.address}; the variable `HOLDFAST_ADDRESS` where it is not given. */
  address?: string;
  /** As for `createLocalMcp`: `HOLDFAST_*` variables are settings, unless this is `false`. */
  env?: Shared | false;
}

/** An MCP server in one of several processes: what to serve, and what to tell it. */
export interface ClusterMcp<E extends Env = Env> {
  /** The Hono app: to be served, or mounted in another. The other processes speak to it too, at `address`. */
  router: Hono<E>;
  host: ClusterHost;
  /** Ends sessions, whichever process has them. */
  sessions: Sessions;
  /** Tells clients of both eras, of all processes, that something changed. */
  notify: Notifier;
  /** The same within one topic. */
  notifyTopic(topic: string): Notifier;
  /** Users' state, from anywhere. */
  users: Users;
  /** Ends this process's streams, with the hint to come back, and hands its sessions over. */
  close(): Promise<void>;
}

/**
 * Joins the other processes; makes the router and the host behind it.
 *
 * Rejects where the database cannot be reached, or is not fit.
 * @throws {RangeError | TypeError} naming an option that is wrong
 * @throws {ClusterError} where `pg` is not installed, or the database's tables are of a later version
 * @example
 * const mcp = await createClusterMcp({ createServer, postgres: process.env.DATABASE_URL, address: "http://10.0.0.7:8787" });
 * const server = await serve({ fetch: mcp.router.fetch, hostname: "0.0.0.0", onClose: mcp.close });
 */
export async function createClusterMcp<Shared = unknown, E extends Env = Env>(
  options: ClusterMcpOptions<Shared, E>,
): Promise<ClusterMcp<E>> {
  checkGiven("createClusterMcp", options, { ...OPTIONS, ...ROUTER_OPTIONS, ...MCP_OPTIONS });
  const { env, createServer, evictAfterMs, leaseMs, postgres: database, address: at, ...given } = options;
  const { shared, variables } = readEnv(env);
  const { modern } = options;
  const routed = withVariables(given, variables);
  const settings = resolveOptions(routed);
  for (const message of unknownVariables(variables)) settings.emit("setup.unknown_variable", { message });
  const postgres = database ?? textOf(variables, "HOLDFAST_POSTGRES");
  const address = at ?? textOf(variables, "HOLDFAST_ADDRESS");
  if (postgres === undefined) throw new TypeError(`createClusterMcp needs the option postgres: ${POSTGRES}`);
  if (address === undefined) throw new TypeError("createClusterMcp needs the option address: a URL");
  const query = await openPg(postgres, (error) =>
    settings.emit("cluster.unreachable", { message: messageOf(error) }),
  );
  const host = await clusterHost<Shared>(postgresEngine(query), {
    ...routed,
    createServer,
    env: shared,
    address,
    leaseMs: leaseMs ?? numberOf(variables, "HOLDFAST_LEASE_MS"),
    evictAfterMs: evictAfterMs ?? numberOf(variables, "HOLDFAST_EVICT_AFTER_MS"),
    guest: modern?.guest,
  }).catch(async (error: unknown) => {
    await query.end();
    throw error;
  });
  const mcp = overHost(host, routed, { createServer, env: shared });
  mcp.router.post(`${settings.basePath}/cluster/:asked`, async (c) => {
    try {
      return await host.inbound(c.req.raw, c.req.param("asked") ?? "");
    } catch (error) {
      settings.emit("request.error", { method: "cluster", message: messageOf(error) });
      return new Response(null, { status: 500 });
    }
  });
  return mcp;
}
