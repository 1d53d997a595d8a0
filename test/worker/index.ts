/**
 * The example Worker with a back door for tests: `/__test/<action>?session=<id>` or `?hub=<topic>`
 * reaches into the object (abort it, read its storage, count what woke it), and `/__test/notify?uri=`
 * publishes from outside of any tool; `/__test/end?session=`, `/__test/end-all?principal=` and
 * `/__test/index?principal=` are the sessions from the server's side. Never deployed.
 * @module
 */
import { type DurableObject, env } from "cloudflare:workers";
import { createMcpWorker, optionsFromEnv } from "../../worker/cloudflare.ts";
import { workersTracing } from "../../worker/tracing.ts";
import { indexName } from "../../worker/session-index.ts";
import { testModern } from "../support/test-modern.ts";
import { testAdmin, testOptions } from "../support/test-options.ts";
import { testTelemetry } from "../support/test-telemetry.ts";
import { testServers } from "../support/test-server.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  MCP_HUB: DurableObjectNamespace;
  [setting: string]: unknown;
}

const settings: Record<string, unknown> = { ...env };

const mcp = createMcpWorker<Env>({
  ...testOptions(settings),
  createServer: testServers(settings),
  namespace: (bindings) => bindings.MCP_SESSION,
  hub: (bindings) => bindings.MCP_HUB,
  ...testModern<Env>(settings),
  ...testAdmin(settings),
  ...(await testTelemetry(settings)),
  ...(settings["TEST_OTEL"] === "workers" &&
    workersTracing({ onEvent: (event) => console.log(JSON.stringify(event)) })),
  sessions: settings["TEST_SESSIONS"] === "on",
  ...optionsFromEnv(settings),
});

/** What has happened to this object since its isolate started, and what it has stored. */
export interface Inspection {
  bootId: string;
  /** Calls of the object: requests, and messages by RPC. */
  fetches: number;
  alarms: number;
  socketMessages: number;
  sockets: number;
  alarm: number | null;
  /** Rows written by SQL in this isolate, in all objects; alarms are not among them. */
  rowsWritten: number;
  tables: Record<string, Record<string, unknown>[]>;
}

let written = 0;
let latest: SqlStorageCursor<Record<string, SqlStorageValue>> | undefined;

/** Rows written until now: each cursor knows its own number once it has been read. */
function countRows(): number {
  written += latest?.rowsWritten ?? 0;
  latest = undefined;
  return written;
}

/** Counts what every object of this isolate writes, where it is written. */
function countWrites(sql: SqlStorage): void {
  const prototype = Object.getPrototypeOf(sql) as SqlStorage & { isCounted?: boolean };
  if (prototype.isCounted) return;
  prototype.isCounted = true;
  const { exec } = prototype;
  prototype.exec = function counted(this: SqlStorage, ...args: Parameters<typeof exec>) {
    countRows();
    const cursor = exec.apply(this, args);
    latest = cursor;
    return cursor;
  } as typeof exec;
}

export class McpSession extends watched(mcp.McpSession) {}
export class McpHub extends watched(mcp.McpHub) {}

/** A session's class or the hub's, which has no method `post`. */
type Base = new (
  ctx: DurableObjectState,
  env: Env,
) => DurableObject<Env> & { post?(message: string): Promise<string | Response> };

function watched(Base: Base): Base {
  return class Watched extends Base {
    #bootId = crypto.randomUUID();
    #fetches = 0;
    #alarms = 0;
    #socketMessages = 0;
    #isDeaf = false;
    /** Calls left to take before the object dies with them in hand. */
    #doom = 0;

    constructor(ctx: DurableObjectState, bindings: Env) {
      countWrites(ctx.storage.sql);
      super(ctx, bindings);
    }

    override async fetch(request: Request): Promise<Response> {
      const { hostname, pathname, searchParams } = new URL(request.url);
      if (hostname !== "test") {
        this.#count();
        if (this.#isDeaf && request.headers.has("upgrade")) return new Response(null, { status: 503 });
        return (await super.fetch?.(request)) ?? new Response(null, { status: 500 });
      }
      switch (pathname) {
        case "/abort":
          this.ctx.abort("test");
          return new Response(null);
        case "/doom":
          this.#doom = Number(searchParams.get("calls"));
          return new Response(null, { status: 204 });
        case "/drop":
          for (const socket of this.ctx.getWebSockets()) socket.close(1011, "dropped");
          return new Response(null, { status: 204 });
        case "/deaf":
        case "/hear":
          // Deaf: it takes calls, but no link.
          this.#isDeaf = pathname === "/deaf";
          for (const socket of this.#isDeaf ? this.ctx.getWebSockets() : []) socket.close(1011, "deaf");
          return new Response(null, { status: 204 });
        case "/alarm":
          await super.alarm?.();
          return new Response(null, { status: 204 });
        default:
          return Response.json(await this.#inspect());
      }
    }

    override async post(message: string): Promise<string | Response> {
      this.#count();
      return (await super.post?.(message)) ?? new Response(null, { status: 500 });
    }

    #count(): void {
      this.#fetches += 1;
      if (this.#doom > 0 && --this.#doom === 0) setTimeout(() => this.ctx.abort("test"), 20);
    }

    override alarm(): Promise<void> {
      this.#alarms += 1;
      return Promise.resolve(super.alarm?.());
    }

    override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void | Promise<void> {
      this.#socketMessages += 1;
      return super.webSocketMessage?.(socket, message);
    }

    async #inspect(): Promise<Inspection> {
      const rowsWritten = countRows();
      const { sql } = this.ctx.storage;
      const names = sql
        .exec<{ name: string }>(
          "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
        )
        .toArray();
      return {
        bootId: this.#bootId,
        fetches: this.#fetches,
        alarms: this.#alarms,
        socketMessages: this.#socketMessages,
        sockets: this.ctx.getWebSockets().length,
        alarm: await this.ctx.storage.getAlarm(),
        rowsWritten,
        tables: Object.fromEntries(
          names.map(({ name }) => [name, sql.exec(`SELECT * FROM ${name}`).toArray()]),
        ),
      };
    }
  };
}

export default {
  async fetch(request, bindings, context) {
    // Not parsed for every request: a Host that is no name is the router's to refuse.
    if (!request.url.includes("/__test/")) return mcp.router.fetch(request, bindings, context);
    const { pathname, searchParams } = new URL(request.url);
    const action = pathname.split("/")[2] ?? "";
    if (action === "end") return Response.json(await mcp.sessions.end(searchParams.get("session") ?? ""));
    if (action === "end-all") {
      try {
        return Response.json(await mcp.sessions.endAll(searchParams.get("principal") ?? ""));
      } catch (error) {
        return new Response(String(error), { status: 500 });
      }
    }
    if (action === "index") {
      const name = await indexName(searchParams.get("principal") ?? "");
      return bindings.MCP_SESSION.get(bindings.MCP_SESSION.idFromName(name)).fetch("https://session/index");
    }
    if (action === "notify") {
      mcp.notify.resourceUpdated(searchParams.get("uri") ?? "");
      return new Response(null, { status: 204 });
    }
    const hub = searchParams.get("hub");
    const object =
      hub === null
        ? bindings.MCP_SESSION.get(bindings.MCP_SESSION.idFromString(searchParams.get("session") ?? ""))
        : bindings.MCP_HUB.get(bindings.MCP_HUB.idFromName(hub));
    try {
      return await object.fetch(`https://test/${action}?${searchParams}`);
    } catch (error) {
      // An object that was asked to abort answers with nothing else.
      return new Response(String(error), { status: action === "abort" ? 200 : 500 });
    }
  },
} satisfies ExportedHandler<Env>;
