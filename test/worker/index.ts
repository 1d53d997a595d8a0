/**
 * The example Worker with a back door for tests: `/__test/<action>?session=<id>` reaches into the
 * session's object (abort it, read its storage, count what woke it). Never deployed.
 * @module
 */
import { env } from "cloudflare:workers";
import { createMcpWorker, optionsFromEnv } from "../../worker/cloudflare.ts";
import { createExampleServer } from "../../worker/example/server.ts";

interface Env {
  MCP_SESSION: DurableObjectNamespace;
  [setting: string]: unknown;
}

const settings: Record<string, unknown> = { ...env };

const mcp = createMcpWorker<Env>({
  name: "holdfast-test",
  version: "0.0.0",
  createServer: createExampleServer,
  namespace: (bindings) => bindings.MCP_SESSION,
  // `Authorization: Bearer <subject>:<anything>` where tests ask for it: the subject is the principal.
  ...(settings["TEST_AUTH"] === "on"
    ? {
        authorize: (request: Request) => {
          const token = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
          if (token === undefined) return undefined;
          const [principal = ""] = token.split(":");
          return { principal, authInfo: { token, clientId: principal, scopes: [] } };
        },
      }
    : {}),
  // Tools that may run again after a restart, by name.
  rerun: (request) =>
    String(settings["TEST_RERUN"] ?? "")
      .split(",")
      .includes(String(request.params?.["name"])),
  onDisconnect: (disconnect) => console.log(JSON.stringify({ type: "test.disconnect", ...disconnect })),
  ...optionsFromEnv(settings),
});

/** What has happened to this object since its isolate started, and what it has stored. */
export interface Inspection {
  bootId: string;
  fetches: number;
  alarms: number;
  socketMessages: number;
  sockets: number;
  alarm: number | null;
  tables: Record<string, Record<string, unknown>[]>;
}

export class McpSession extends mcp.McpSession {
  #bootId = crypto.randomUUID();
  #fetches = 0;
  #alarms = 0;
  #socketMessages = 0;

  override async fetch(request: Request): Promise<Response> {
    const { hostname, pathname } = new URL(request.url);
    if (hostname !== "test") {
      this.#fetches += 1;
      return (await super.fetch?.(request)) ?? new Response(null, { status: 500 });
    }
    switch (pathname) {
      case "/abort":
        this.ctx.abort("test");
        return new Response(null);
      case "/alarm":
        await super.alarm?.();
        return new Response(null, { status: 204 });
      default:
        return Response.json(await this.#inspect());
    }
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
      tables: Object.fromEntries(
        names.map(({ name }) => [name, sql.exec(`SELECT * FROM ${name}`).toArray()]),
      ),
    };
  }
}

export default {
  async fetch(request, bindings, context) {
    const { pathname, searchParams } = new URL(request.url);
    const [, test, action = ""] = pathname.split("/");
    if (test !== "__test") return mcp.router.fetch(request, bindings, context);
    const id = bindings.MCP_SESSION.idFromString(searchParams.get("session") ?? "");
    try {
      return await bindings.MCP_SESSION.get(id).fetch(`https://test/${action}`);
    } catch (error) {
      // An object that was asked to abort answers with nothing else.
      return new Response(String(error), { status: action === "abort" ? 200 : 500 });
    }
  },
} satisfies ExportedHandler<Env>;
