/**
 * `holdfast/cloudflare`: a deployable MCP server from one call.
 * @module
 */
import { type DurableObject, env } from "cloudflare:workers";
import type { Hono } from "hono";
import { createNotifier, DEFAULT_TOPIC, type Notifier } from "../src/changes.ts";
import type { ModernHandler, SessionHost } from "../src/host.ts";
import { type HoldfastOptions, OPTIONS, resolveOptions } from "../src/options.ts";
import { withVariables } from "../src/variables.ts";
import { requestHandler } from "../src/request/handler.ts";
import { createMcpRouter, ROUTER_OPTIONS, type RouterOptions } from "../src/router.ts";
import type { CreateServer } from "../src/session/server/factory.ts";
import type { SessionLogs, Sessions } from "../src/sessions.ts";
import { BOOLEAN, checkGiven, FUNCTION, type Kind, STRING, needed } from "../src/setup.ts";
import { createUsers, type Users } from "../src/user/user.ts";
import { createBindings } from "./bindings.ts";
import { durableHost } from "./durable-host.ts";
import { workerEndings } from "./endings.ts";
import { hubObject } from "./hub-object.ts";
import { createHub } from "./hub.ts";
import type { Jurisdiction, ObjectNamespace, ObjectState } from "./platform.ts";
import { workerSessions } from "./sessions.ts";
import { sessionObject, type SessionObject } from "./session-object.ts";

export * from "../src/index.ts";
export { durableHost, type DurableHostOptions } from "./durable-host.ts";
export type { Jurisdiction, ObjectNamespace, ObjectState } from "./platform.ts";
export type { SessionObject } from "./session-object.ts";

/** Options of the router and of its Durable Objects, in one. */
export interface McpWorkerOptions<Env extends object, Variables extends object = object> extends Omit<
  RouterOptions<{ Bindings: Env; Variables: Variables }>,
  "host" | "hub" | "requests" | "modern"
> {
  // `Env` is never guessed from factories: one that does not look at its `env` would make it `object`, whatever the
  // result is declared to be.
  /** Builds the MCP server of one session. */
  createServer: CreateServer<NoInfer<Env>>;
  /** Serves 2026-07-28 on the same URL: `modernHandler` of `holdfast/modern`. */
  modern?: ModernHandler<NoInfer<Env>>;
  /** The namespace that {@link McpWorker.McpSession} is bound to. */
  namespace: (env: Env) => ObjectNamespace;
  /**
   * The namespace that {@link McpWorker.McpHub} is bound to. With it, changes that are published in any
   * isolate reach every listener and every session that subscribed.
   */
  hub?: (env: Env) => ObjectNamespace;
  /**
   * Keeps note of the sessions there are, and of whose each is, for `sessions.list` and `sessions.endAll`: one object
   * request and one row more as a session opens, and as it ends; two of each for a principal's first and last. With
   * `hub`, what a principal has under way outside of sessions hears of `endAll` in every isolate: a link to a topic of the
   * hub for each isolate that has listeners or lasting calls. False by default.
   */
  sessions?: boolean;
  /** Where sessions and hubs are kept, such as `eu`. */
  jurisdiction?: Jurisdiction;
  /**
   * The Worker's `HOLDFAST_*` variables are settings where the code gives none (`docs/options.md`); `false` leaves
   * them unread.
   */
  env?: false;
}

/** What is `createMcpWorker`'s own, each with what it must be. */
const OWN: Required<{
  [
    Name in Exclude<keyof McpWorkerOptions<object>, keyof HoldfastOptions | keyof typeof ROUTER_OPTIONS>
  ]: Kind;
}> = {
  createServer: needed(FUNCTION),
  namespace: needed(FUNCTION),
  hub: FUNCTION,
  sessions: BOOLEAN,
  jurisdiction: STRING,
  env: ["false, or left out", (value) => value === false],
};

/** An MCP server on Cloudflare: what to export, and what to tell it. */
export interface McpWorker<Env extends object, Variables extends object = object> {
  /** The Hono app: the Worker's default export, or part of one. */
  router: Hono<{ Bindings: Env; Variables: Variables }>;
  /** The Durable Object class: export it, and bind it with `new_sqlite_classes`. */
  McpSession: new (ctx: ObjectState, env: Env) => SessionObject<Env>;
  /** The Durable Object class of the hub: export it and bind it likewise, where `hub` is given. */
  McpHub: new (ctx: ObjectState, env: Env) => DurableObject<Env>;
  /** Shows and ends sessions, from anywhere in the Worker. `list` and `endAll` reject without the option `sessions`. */
  sessions: Sessions;
  /**
   * Tells clients of both eras that something changed, from anywhere in the Worker: a request, a queue,
   * a schedule. Its methods throw without the option `hub`.
   */
  notify: Notifier;
  /** The same within one topic. */
  notifyTopic(topic: string): Notifier;
  /** Users' state, from anywhere in the Worker. */
  users: Users;
}

/** What `env` is where nothing names its type: write `createMcpWorker<Env>({ … })`, with what `wrangler types` makes. */
export interface EnvNotNamed {
  /** Nobody's binding. */
  readonly [ENV_NOT_NAMED]?: never;
}

declare const ENV_NOT_NAMED: unique symbol;

/** How often a link to the hub shows that it is alive. The runtime answers; the hub sleeps on. */
const LINK_BEAT_MS = 15_000;

/**
 * Makes the router and the Durable Object class behind it.
 *
 * `Variables` are what middleware in front of the router sets, so that `c.get("user")` has a type in `authorize`.
 * @throws {RangeError | TypeError} naming an option that is wrong
 * @example
 * const mcp = createMcpWorker<Env>({ createServer, namespace: (env) => env.MCP_SESSION });
 * export const McpSession = mcp.McpSession;
 * export default mcp.router;
 */
export function createMcpWorker<Env extends object = EnvNotNamed, Variables extends object = object>(
  options: McpWorkerOptions<Env, Variables>,
): McpWorker<Env, Variables> {
  checkGiven("createMcpWorker", options, { ...OPTIONS, ...ROUTER_OPTIONS, ...OWN });
  const {
    createServer,
    namespace,
    hub: hubOf,
    jurisdiction,
    sessions: indexed = false,
    env: reads,
    ...given
  } = options;
  const readsVariables = reads !== false;
  const routed = readsVariables ? withVariables(given, env as unknown as Record<string, unknown>) : given;
  const settings = resolveOptions(routed);
  const { emit, keepaliveIntervalMs } = settings;
  const bindings = createBindings<Env>({ namespace, hub: hubOf, jurisdiction, readsVariables, emit });
  const beatMs = Math.min(LINK_BEAT_MS, keepaliveIntervalMs || LINK_BEAT_MS);
  const hub = bindings.hub && createHub<Env>({ namespace: bindings.hub, beatMs, emit });
  const endings = indexed ? workerEndings(hub) : undefined;
  const sessionHost = durableHost<Env>({ namespace: bindings.namespace }, emit, endings);
  let logs: SessionLogs | undefined;
  const host: SessionHost<Env> = {
    ...sessionHost,
    check: bindings.check,
    keepLogs: (given) => void (logs ??= given),
  };
  const notifyTopic = (topic: string): Notifier =>
    createNotifier((change) => {
      if (hub === undefined) throw new Error("There is no hub: give createMcpWorker the option `hub`");
      hub.bus(topic).publish(change);
    });
  const sessions = workerSessions<Env>(bindings.namespace, endings);
  return {
    router: createMcpRouter<{ Bindings: Env; Variables: Variables }>({
      ...routed,
      host: { ...host, sessions },
      hub,
      requests: requestHandler<Env>({ createServer }),
    }),
    McpSession: sessionObject<Env>({
      settings,
      createServer,
      namespace: bindings.namespace,
      host,
      hub,
      indexed,
      logs: () => logs,
      guest: options.modern?.guest,
    }),
    McpHub: hubObject<Env>({ settings, sessions: bindings.namespace }),
    sessions,
    notify: notifyTopic(DEFAULT_TOPIC),
    notifyTopic,
    users: createUsers((name) => host.user(name, env as Env)),
  };
}
