/**
 * The Durable Object around a session: its storage, its alarm, its WebSockets.
 *
 * The object sleeps while clients stay connected: the edge's pings are answered by the runtime, and
 * what a WebSocket was for is read from its attachment when the object wakes.
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import type { Change } from "../src/changes.ts";
import type { Refusal } from "../src/host.ts";
import { unreachable } from "../src/jsonrpc/failures.ts";
import type { Settings } from "../src/options.ts";
import { createDelay } from "../src/session/delays.ts";
import { createInterest } from "../src/session/interest.ts";
import type { Seed, Successors } from "../src/session/ports.ts";
import type { SqlStore, SqlValue } from "../src/session/schema.ts";
import type { CreateServer } from "../src/session/server.ts";
import { createSession, type Session } from "../src/session/session.ts";
import { createSessionStore } from "../src/session/store.ts";
import { formatEventId } from "../src/sse/event-id.ts";
import type { WorkerHub } from "./hub.ts";
import { bodyOutlet, parseClose, PING, PONG, type SocketState, socketOutlet } from "./links.ts";
import { createSessionIndex, type RemoteIndex, type SessionIndex, sessionIndexOf } from "./session-index.ts";
import { decodeAttach, decodeCall, decodeEnd, encodeReply, PATHS } from "./wire.ts";

export interface SessionObjectOptions<Env> {
  readonly settings: Settings;
  readonly createServer: CreateServer<Env>;
  readonly namespace: (env: Env) => DurableObjectNamespace;
  readonly hub: WorkerHub | undefined;
  /** Whether the sessions of each principal are kept together, so that they can be ended together. */
  readonly indexed: boolean;
}

/** The one session of an object. */
const KEY = 1;

const UNNOTED: Refusal = { kind: "refused", failure: unreachable };

/** Makes the Durable Object class for these options. */
export function sessionObject<Env>(
  options: SessionObjectOptions<Env>,
): new (ctx: DurableObjectState, env: Env) => DurableObject<Env> {
  return class McpSession extends DurableObject<Env> {
    readonly #session: Session;
    readonly #index: SessionIndex;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      const { hub } = options;
      this.#index = createSessionIndex(ctx.storage);
      this.#session = createSession<Env>({
        id: ctx.id.toString(),
        store: createSessionStore(sqlStore(ctx.storage), KEY),
        settings: options.settings,
        createServer: options.createServer,
        env,
        alarm: {
          get: async () => (await ctx.storage.getAlarm()) ?? undefined,
          set: (at) => ctx.storage.setAlarm(at),
          clear: () => ctx.storage.deleteAlarm(),
        },
        successors: successorsIn(options.namespace(env)),
        interest: hub && ((session) => createInterest(hub.forSession(session.id), session)),
        quick: createDelay(options.settings.quickAnswerMs),
        erase: async () => {
          const principal = options.indexed ? principalIn(ctx.storage) : undefined;
          await ctx.storage.deleteAlarm();
          await ctx.storage.deleteAll();
          if (principal === undefined) return;
          // What stays there by mistake goes with the next `endAll`.
          this.ctx.waitUntil(
            this.#indexOf(principal)
              .remove(ctx.id.toString())
              .catch(() => {}),
          );
        },
        now: Date.now,
      });
      ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
      for (const socket of ctx.getWebSockets()) {
        const state = socket.deserializeAttachment() as SocketState;
        this.#session.restore(state.stream, this.#outlet(socket, state), state.place);
      }
    }

    override async fetch(request: Request): Promise<Response> {
      switch (request.url) {
        case PATHS.post:
          return this.#post(request);
        case PATHS.attach:
          return this.#attach(request);
        case PATHS.end: {
          const ended = await this.#session.end(await decodeEnd(request));
          return ended.kind === "ended" ? new Response(null, { status: 204 }) : encodeReply(ended);
        }
        case PATHS.adopt:
          await this.#session.adopt(await request.json<Seed>());
          return new Response(null, { status: (await this.#noted()) ? 204 : 503 });
        case PATHS.terminate:
          return new Response(null, { status: (await this.#session.terminate()) ? 204 : 404 });
        case PATHS.index:
          return this.#index.answer(request);
        case PATHS.notify: {
          const unwanted = await this.#session.notify(await request.json<Change[]>());
          return unwanted === undefined ? new Response(null, { status: 404 }) : Response.json(unwanted);
        }
        case PATHS.live:
          return new Response(null, { status: this.#session.isLive() ? 204 : 404 });
        default:
          return new Response(null, { status: 404 });
      }
    }

    async #post(request: Request): Promise<Response> {
      const call = decodeCall(await request.text());
      const connectionId = call.connectionId();
      let body: ReadableStream | undefined;
      let at: string | undefined;
      const wasLive = this.#session.isLive();
      const reply = await this.#session.post(call, (stream) => {
        const { readable, writable } = new IdentityTransformStream();
        body = readable;
        at = formatEventId(stream, 0);
        return bodyOutlet(
          writable,
          connectionId,
          (place) => this.#session.ack(stream, connectionId, place),
          () => this.#session.leave(stream, connectionId),
        );
      });
      if (!wasLive && !(await this.#noted())) return encodeReply(UNNOTED);
      return encodeReply(reply, body, at);
    }

    async #attach(request: Request): Promise<Response> {
      const attach = decodeAttach(request);
      const { connectionId } = attach;
      let client: WebSocket | undefined;
      const wasLive = this.#session.isLive();
      const reply = await this.#session.attach(attach, (stream) => {
        const pair = new WebSocketPair();
        client = pair[0];
        this.ctx.acceptWebSocket(pair[1]);
        const state: SocketState = { connectionId, stream, openedAt: Date.now(), place: 0 };
        pair[1].serializeAttachment(state);
        return this.#outlet(pair[1], state);
      });
      if (!wasLive && !(await this.#noted())) return encodeReply(UNNOTED);
      if (reply.kind === "refused" || client === undefined) return encodeReply(reply);
      return new Response(null, { status: 101, webSocket: client });
    }

    /**
     * A session that has just come to be is put among its principal's. One that cannot be does not stay: it would
     * outlive their signing out. False for that one.
     */
    async #noted(): Promise<boolean> {
      if (!options.indexed || !this.#session.isLive()) return true;
      const principal = principalIn(this.ctx.storage);
      if (principal === undefined) return true;
      try {
        await this.#indexOf(principal).add(this.ctx.id.toString());
        return true;
      } catch {
        await this.#session.terminate();
        return false;
      }
    }

    #indexOf(principal: string): RemoteIndex {
      return sessionIndexOf(options.namespace(this.env), principal);
    }

    override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
      const { stream, connectionId } = socket.deserializeAttachment() as SocketState;
      const [word, seq] = String(message).split(" ");
      if (word === "ack") this.#session.ack(stream, connectionId, Number(seq));
    }

    override webSocketClose(socket: WebSocket, _code: number, reason: string): void {
      const { stream, connectionId } = socket.deserializeAttachment() as SocketState;
      this.#session.leave(stream, connectionId, parseClose(reason).seq);
      socket.close();
    }

    override webSocketError(socket: WebSocket): void {
      const { stream, connectionId } = socket.deserializeAttachment() as SocketState;
      this.#session.leave(stream, connectionId);
    }

    override alarm(): Promise<void> {
      return this.#session.alarm();
    }

    #outlet(socket: WebSocket, state: SocketState): ReturnType<typeof socketOutlet> {
      return socketOutlet(
        socket,
        state,
        () => this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? state.openedAt,
        () => this.#session.leave(state.stream, state.connectionId),
      );
    }
  };
}

/** Whose session it is that the object holds. */
function principalIn({ sql }: DurableObjectStorage): string | undefined {
  try {
    const [row] = sql.exec<{ principal: string | null }>("SELECT principal FROM session").toArray();
    return row?.principal ?? undefined;
  } catch {
    // Nothing has been stored.
    return undefined;
  }
}

function sqlStore(storage: DurableObjectStorage): SqlStore {
  return {
    exec: <Row extends Record<string, SqlValue>>(sql: string, ...bindings: SqlValue[]) =>
      storage.sql.exec<Row>(sql, ...bindings).toArray(),
    transaction: (body) => storage.transactionSync(body),
  };
}

function successorsIn(namespace: DurableObjectNamespace): Successors {
  return {
    async create(seed) {
      const id = namespace.newUniqueId();
      const made = await namespace.get(id).fetch(PATHS.adopt, { method: "POST", body: JSON.stringify(seed) });
      if (made.status !== 204) throw new Error(`the successor answered ${made.status}`);
      return id.toString();
    },
    async isLive(id) {
      const answer = await namespace.get(namespace.idFromString(id)).fetch(PATHS.live);
      return answer.status === 204;
    },
  };
}
