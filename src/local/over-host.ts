/** What stands over a host of one process or of several: the router, what tells of changes, users' state. @module */
import type { Env, Hono } from "hono";
import { type ChangeHub, createNotifier, DEFAULT_TOPIC, type Notifier } from "../changes.ts";
import type { SessionHost } from "../host.ts";
import { requestHandler } from "../request/handler.ts";
import { createMcpRouter, type RouterOptions } from "../router.ts";
import type { CreateServer } from "../session/server/factory.ts";
import type { Sessions } from "../sessions.ts";
import { createUsers, type Users } from "../user/user.ts";
import type { Variables } from "../variables.ts";
import { environment } from "./environment.ts";

/** What such a host has besides sessions. */
interface OwnHost extends SessionHost {
  readonly hub: ChangeHub;
  readonly sessions: Sessions;
  close(): Promise<void>;
}

/** The router over `host`, and what a user holds beside it. */
export interface OverHost<Host, E extends Env> {
  router: Hono<E>;
  host: Host;
  sessions: Sessions;
  notify: Notifier;
  notifyTopic(topic: string): Notifier;
  users: Users;
  close(): Promise<void>;
}

/**
 * Puts them together.
 * @param routed the router's options, but for what comes of the host
 * @param own the factory of all eras, and the `env` that its servers get: not that which the HTTP server gives a request
 */
export function overHost<Host extends OwnHost, Shared, E extends Env>(
  host: Host,
  routed: Omit<RouterOptions<E>, "host" | "hub" | "requests">,
  { createServer, env }: { createServer: CreateServer<Shared>; env: Shared },
): OverHost<Host, E> {
  const { hub } = host;
  const { modern } = routed;
  const requests = requestHandler<Shared>({ createServer });
  const notifyTopic = (topic: string): Notifier => createNotifier((change) => hub.bus(topic).publish(change));
  return {
    router: createMcpRouter<E>({
      ...routed,
      host,
      hub,
      requests: { handle: (call) => requests.handle({ ...call, env }) },
      ...(modern && {
        modern: { ...modern, handle: (call) => modern.handle({ ...call, env: env as never }) },
      }),
    }),
    host,
    sessions: host.sessions,
    notify: notifyTopic(DEFAULT_TOPIC),
    notifyTopic,
    users: createUsers((name) => host.user(name, undefined)),
    async close() {
      // Those who listen are told that it is over; sessions come back, here or elsewhere.
      await modern?.close();
      await host.close();
    },
  };
}

/** What `env` means: what all servers share, and where variables are read, nowhere for `false`. */
export function readEnv<Shared>(env: Shared | false | undefined): {
  readonly shared: Shared;
  readonly variables: Variables;
} {
  if (env === false) return { shared: undefined as Shared, variables: {} };
  // It may hold more than text: only names of ours are looked at.
  return { shared: env as Shared, variables: { ...environment(), ...(env as object | undefined) } };
}
