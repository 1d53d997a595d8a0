/**
 * The test server inside vitest's workerd, under several settings side by side. It counts what wakes an
 * object and what an object writes; tests run in the same isolate and read the counts as they are.
 * @module
 */
import type { DurableObject } from "cloudflare:workers";
import { createMcpWorker, type HoldfastOptions } from "../../worker/cloudflare.ts";
import { createTestServer } from "../support/test-server.ts";

/** Settings by name: each has a mount path, a class and a namespace of its own. */
const VARIANTS = {
  /** Nothing happens by itself: tests move the clock and ring the alarm. */
  calm: { keepaliveIntervalMs: 0, maxStreamMs: 604_800_000, logLevel: "silent" },
  /** Edges that are silent for 300 ms are given up at the next alarm. */
  watched: { keepaliveIntervalMs: 100, superviseIntervalMs: 1000, logLevel: "silent" },
} as const satisfies Record<string, HoldfastOptions>;

export type Variant = keyof typeof VARIANTS;

/** What an object did, over all its lives. */
export interface Counts {
  /** How often it was constructed: 1 while it has never been evicted. */
  lives: number;
  /** Calls from an edge. */
  fetches: number;
  alarms: number;
  socketMessages: number;
  /** Rows as the platform counts and bills them, alarms included. */
  rowsWritten(): number;
}

const counts = new Map<string, Counts & { writes: (() => number)[] }>();

/** The counts of the object with this id. */
export function countsOf(id: string): Counts {
  let found = counts.get(id);
  if (found === undefined) {
    const writes: (() => number)[] = [];
    const rowsWritten = (): number => writes.reduce((total, count) => total + count(), 0);
    found = { lives: 0, fetches: 0, alarms: 0, socketMessages: 0, rowsWritten, writes };
    counts.set(id, found);
  }
  return found;
}

/** Counts what goes through the object's storage. */
function meter({ id, storage }: DurableObjectState): void {
  countsOf(id.toString());
  const writes = counts.get(id.toString())?.writes ?? [];
  const { sql } = storage;
  const exec = sql.exec.bind(sql);
  const setAlarm = storage.setAlarm.bind(storage);
  sql.exec = (query, ...bindings) => {
    const cursor = exec<never>(query, ...bindings);
    // Read late: a cursor counts while it is read.
    writes.push(() => cursor.rowsWritten);
    return cursor;
  };
  storage.setAlarm = (at, options) => {
    writes.push(() => 1);
    return setAlarm(at, options);
  };
}

type SessionClass = new (ctx: DurableObjectState, env: Cloudflare.Env) => DurableObject<Cloudflare.Env>;

function counted(Base: SessionClass): SessionClass {
  return class Counted extends Base {
    #counts: Counts;

    constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
      meter(ctx);
      super(ctx, env);
      this.#counts = countsOf(ctx.id.toString());
      this.#counts.lives += 1;
    }

    override async fetch(request: Request): Promise<Response> {
      this.#counts.fetches += 1;
      return (await super.fetch?.(request)) ?? new Response(null, { status: 500 });
    }

    override async alarm(): Promise<void> {
      this.#counts.alarms += 1;
      await super.alarm?.();
    }

    override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void | Promise<void> {
      this.#counts.socketMessages += 1;
      return super.webSocketMessage?.(socket, message);
    }
  };
}

const worker = (name: Variant, namespace: (env: Cloudflare.Env) => DurableObjectNamespace) =>
  createMcpWorker<Cloudflare.Env>({
    ...VARIANTS[name],
    basePath: `/${name}`,
    createServer: createTestServer,
    namespace,
  });

const calm = worker("calm", (env) => env.CALM);
const watched = worker("watched", (env) => env.WATCHED);

export class CalmSession extends counted(calm.McpSession) {}
export class WatchedSession extends counted(watched.McpSession) {}

export default {
  fetch(request, env, ctx) {
    const { router } = new URL(request.url).pathname.startsWith("/calm") ? calm : watched;
    return router.fetch(request, env, ctx);
  },
} satisfies ExportedHandler<Cloudflare.Env>;
