/**
 * The test server inside vitest's workerd, under several settings side by side. It counts what wakes an
 * object and what an object writes; tests run in the same isolate and read the counts as they are.
 * @module
 */
import type { CallToolResult, McpServer } from "@modelcontextprotocol/server";
import type { HoldfastEvent } from "../../src/events.ts";
import {
  type Authorization,
  createMcpWorker,
  type HoldfastOptions,
  type SessionObject,
} from "../../worker/cloudflare.ts";
import type { ServerContext } from "../../src/session/server/factory.ts";
import * as z from "zod";
import { createTestServer } from "../support/test-server.ts";

/** The server that runs as a process elsewhere, for tests of the hub. */
export { McpHub, McpSession } from "../worker/index.ts";

/** Settings by name: each has a mount path, a class and a namespace of its own. */
const VARIANTS = {
  /** Nothing happens by itself: tests move the clock and ring the alarm. */
  calm: { keepaliveIntervalMs: 0, maxStreamMs: 604_800_000 },
  /** The same with times of different lengths, each shorter than the next. */
  brief: {
    recovery: "rotate",
    keepaliveIntervalMs: 0,
    maxStreamMs: 60_000,
    provisionalTtlMs: 90_000,
    messageTtlMs: 120_000,
    tombstoneTtlMs: 300_000,
    maxCallMs: 450_000,
    sessionTtlMs: 600_000,
  },
  /** Edges that have been silent for two seconds are given up, within another. */
  watched: { keepaliveIntervalMs: 200, keepaliveMaxFailures: 10, superviseIntervalMs: 1000 },
  /** Large texts pass. */
  roomy: {
    keepaliveIntervalMs: 0,
    maxBodyBytes: 67_108_864,
    maxBodyBytesInFlight: 134_217_728,
    maxEventBytes: 67_108_864,
    quickAnswerMs: 1000,
  },
  /** Edges show that they are alive all the time, and nothing looks. */
  pinging: { keepaliveIntervalMs: 20 },
} as const satisfies Record<string, HoldfastOptions>;

export type Variant = keyof typeof VARIANTS;

/** What an object did, over all its lives. */
export interface Counts {
  /** How often it was constructed: 1 while it has never been evicted. */
  lives: number;
  /** Calls from an edge, requests and messages by RPC. */
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

/** Objects whose next streamed answer breaks after its head, before its first byte. */
export const cutShort: Set<string> = new Set();

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

type SessionClass = new (ctx: DurableObjectState, env: Cloudflare.Env) => SessionObject<Cloudflare.Env>;

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
      return this.#cut(await super.fetch(request));
    }

    override async post(message: string): Promise<string | Response> {
      this.#counts.fetches += 1;
      const answer = await super.post(message);
      return typeof answer === "string" ? answer : this.#cut(answer);
    }

    async #cut(response: Response): Promise<Response> {
      if (response.status !== 206 || !cutShort.delete(this.ctx.id.toString())) return response;
      await response.body?.cancel();
      const cut = new ReadableStream({ start: (controller) => controller.error(new Error("cut short")) });
      return new Response(cut, response);
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

/**
 * The test server, with `linger`: it sends one message, then is never done, and no timer keeps it awake; and with
 * `fill` and `length`, whose answer and whose text are as large as may be.
 */
function createServer(context: ServerContext): McpServer {
  const server = createTestServer(context);
  const text = (of: string): CallToolResult => ({ content: [{ type: "text", text: of }] });
  const Fill = z.object({ size: z.int() });
  server.registerTool("fill", { description: "Answers so much", inputSchema: Fill }, ({ size }) =>
    text("→".repeat(size)),
  );
  const Length = z.object({ of: z.string() });
  server.registerTool("length", { description: "Measures a text", inputSchema: Length }, ({ of }) =>
    text(String(of.length)),
  );
  server.registerTool("linger", { description: "Never answers" }, async (ctx) => {
    const params = { level: "info" as const, logger: "linger", data: "lingering" };
    await ctx.mcpReq.notify({ method: "notifications/message", params });
    return new Promise<CallToolResult>(() => {});
  });
  return server;
}

const told: Partial<Record<Variant, HoldfastEvent[]>> = {};

/** The events of the sessions under these settings. */
export function toldBy(name: Variant): readonly HoldfastEvent[] {
  return told[name] ?? [];
}

/** Header that asks for credentials of this size. */
export const SIZES = "x-credentials";

/** Anybody, with credentials as large as they ask for. */
const authorize = ({ headers }: Request): Authorization => ({
  principal: "anybody",
  authInfo: { filling: "f".repeat(Number(headers.get(SIZES) ?? 0)) },
});

const worker = (name: Variant, namespace: (env: Cloudflare.Env) => DurableObjectNamespace) =>
  createMcpWorker<Cloudflare.Env>({
    ...VARIANTS[name],
    onEvent: (event) => void (told[name] ??= []).push(event),
    basePath: `/${name}`,
    createServer,
    namespace,
    ...(name === "roomy" ? { authorize } : {}),
  });

const workers = {
  calm: worker("calm", (env) => env.CALM),
  brief: worker("brief", (env) => env.BRIEF),
  watched: worker("watched", (env) => env.WATCHED),
  roomy: worker("roomy", (env) => env.ROOMY),
  pinging: worker("pinging", (env) => env.PINGING),
};

export class CalmSession extends counted(workers.calm.McpSession) {}
export class BriefSession extends counted(workers.brief.McpSession) {}
export class WatchedSession extends counted(workers.watched.McpSession) {}
export class RoomySession extends counted(workers.roomy.McpSession) {}
export class PingingSession extends counted(workers.pinging.McpSession) {}

export default {
  fetch(request, env, ctx) {
    const [, name = ""] = new URL(request.url).pathname.split("/");
    return workers[name as Variant].router.fetch(request, env, ctx);
  },
} satisfies ExportedHandler<Cloudflare.Env>;
