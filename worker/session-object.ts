/**
 * The Durable Object around a session: what is asked of it, and its alarm. It sleeps while clients stay connected
 * (`session-sockets.ts`).
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import { createWaitUntil } from "../src/background.ts";
import type { SessionHost, Call, Refusal } from "../src/host.ts";
import type { Guest, GuestKind } from "../src/guest.ts";
import { isKnown } from "../src/changes.ts";
import { otherVersion, unreachable } from "../src/jsonrpc/failures.ts";
import type { Unreadable } from "../src/jsonrpc/parse.ts";
import type { Settings } from "../src/options.ts";
import { createDelay } from "../src/session/calls/delays.ts";
import { inspect } from "../src/session/inspect.ts";
import { createInterest } from "../src/session/interest.ts";
import type { Reply } from "../src/session/server/reply.ts";
import type { SqlStore } from "../src/session/store/schema.ts";
import type { CreateServer } from "../src/session/server/factory.ts";
import { createSession } from "../src/session/session.ts";
import type { Session } from "../src/session/contract.ts";
import { createSessionStore } from "../src/session/store/store.ts";
import type { SessionLogs } from "../src/sessions.ts";
import { formatEventId } from "../src/sse/event-id.ts";
import { answerUserRequest } from "../src/user/store.ts";
import type { WorkerHub } from "./hub.ts";
import { decodeChanges } from "./hub-wire.ts";
import { bodyOutlet } from "./links.ts";
import { alarmOf, createWithoutSql, sqlStore } from "./object-storage.ts";
import { createSessionIndex, directoryOf, type SessionIndex, sessionIndexOf } from "./session-index.ts";
import { createNotes, type Notes } from "./session-notes.ts";
import { createSessionSockets, type SessionSockets } from "./session-sockets.ts";
import { successorsIn } from "./successors.ts";
import { READ_BY_ALL, reportUnreadable, stamp, versionOf } from "../src/wire/version.ts";
import { createPrepared, decodeAttach } from "./wire-attach.ts";
import { encodeAnswer, encodeReply, type Streamed } from "../src/wire/reply.ts";
import { decodeLeft, decodeMessage, decodePrincipal, decodeSeed, decodeUserRequest, PATHS } from "./wire.ts";
import { decodeCall, decodeEnd, decodeGuestRequest } from "../src/wire/call.ts";

/** What all objects of one class go by. */
export interface SessionObjectOptions<Env> {
  readonly settings: Settings;
  readonly createServer: CreateServer<Env>;
  readonly namespace: (env: Env) => DurableObjectNamespace;
  /** The host as edges have it. */
  readonly host: SessionHost<Env>;
  readonly hub: WorkerHub | undefined;
  /** What lives in objects of this class besides sessions; undefined where nothing does. */
  readonly guest: GuestKind | undefined;
  /** Whether the sessions of each principal are kept together, so that they can be ended together. */
  readonly indexed: boolean;
  /** See `SessionHost.keepLogs`. */
  readonly logs: () => SessionLogs | undefined;
}

/** The Durable Object of a session, as the edge calls it: see `wire.ts`. */
export interface SessionObject<Env> extends DurableObject<Env> {
  /** What does not cross as a string: streams, links, and messages that are too long. */
  fetch(request: Request): Promise<Response>;
  /** One POST's messages; a string where they were answered quickly, as a call's are as a rule. */
  post(message: string): Promise<string | Response>;
}

/** The one session of an object. */
const KEY = 1;

/** The reply where a session cannot be put among its principal's. */
const UNNOTED: Refusal = { kind: "refused", failure: unreachable };

/** Edges see their sockets break, and dial at once; this is many times that. */
const REDIAL_MS = 1000;

/** The reply to what cannot be read: the client may come again, by when the versions may have met. */
const COME_BACK: Refusal = { kind: "refused", failure: otherVersion };

/** Makes the Durable Object class for these options. */
export function sessionObject<Env>(
  options: SessionObjectOptions<Env>,
): new (ctx: DurableObjectState, env: Env) => SessionObject<Env> {
  const { emit } = options.settings;
  const withoutSql = createWithoutSql(emit);

  return class McpSession extends DurableObject<Env> implements SessionObject<Env> {
    /** Not there where the object is unfit. */
    readonly #session!: Session;
    readonly #sockets!: SessionSockets;
    /** Why the object can hold no session; undefined in all that are set up right. */
    readonly #unfit: Refusal | undefined;
    readonly #index: SessionIndex;
    /** Undefined where no index is kept. */
    readonly #notes: Notes | undefined;
    readonly #prepared = createPrepared();
    readonly #sql: SqlStore;
    #guest: Guest | undefined;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#sql = sqlStore(ctx.storage);
      const { hub } = options;
      this.#index = createSessionIndex(ctx.storage, () => directoryOf(options.namespace(env)));
      const id = ctx.id.toString();
      this.#notes = options.indexed
        ? createNotes({
            storage: ctx.storage,
            session: () => this.#session,
            indexOf: (place) => sessionIndexOf(options.namespace(env), place),
            waitUntil: (promise) => ctx.waitUntil(promise),
            id,
          })
        : undefined;
      try {
        this.#session = createSession<Env>({
          id,
          store: createSessionStore(this.#sql, KEY),
          settings: options.settings,
          logs: options.logs(),
          createServer: options.createServer,
          env,
          alarm: alarmOf(ctx.storage),
          successors: successorsIn(options.namespace(env)),
          interest: hub && ((session) => createInterest(hub.forSession(session.id), session)),
          userChannel: (name) => options.host.user(name, env),
          keep: (work) => ctx.waitUntil(work),
          redialMs: REDIAL_MS,
          quick: createDelay(options.settings.quickAnswerMs),
          erase: async () => {
            const owner = this.#notes?.owner();
            await ctx.storage.deleteAlarm();
            await ctx.storage.deleteAll();
            if (owner !== undefined) ctx.waitUntil(this.#notes?.ended(owner) ?? Promise.resolve());
          },
          now: Date.now,
        });
      } catch (error) {
        this.#unfit = withoutSql(error);
        return;
      }
      this.#sockets = createSessionSockets({ ctx, session: this.#session, emit });
      this.#sockets.restore();
    }

    override async fetch(request: Request): Promise<Response> {
      try {
        const version = versionOf(request);
        return stamp(this.#unfit ? encodeReply(this.#unfit) : await this.#answer(request), version);
      } catch (error) {
        reportUnreadable(emit, { at: "session", what: new URL(request.url).pathname.slice(1) }, error);
        return stamp(encodeReply(COME_BACK), READ_BY_ALL);
      }
    }

    async #answer(request: Request): Promise<Response> {
      switch (request.url) {
        case PATHS.post:
          return this.#run(
            decodeCall(await request.text(), options.settings.maxInitializeBytes),
            encodeReply,
          );
        case PATHS.attach:
          return this.#attach(request);
        case PATHS.prepare:
          this.#prepared.put(await request.text());
          return new Response(null, { status: 204 });
        case PATHS.end: {
          const ended = await this.#session.end(await decodeEnd(request));
          return ended.kind === "ended" ? new Response(null, { status: 204 }) : encodeReply(ended);
        }
        case PATHS.left: {
          const { stream, connectionId, seq } = await decodeLeft(request);
          this.#session.reached(stream, connectionId, seq);
          this.#session.leave(stream, connectionId);
          return new Response(null, { status: 204 });
        }
        case PATHS.adopt:
          await this.#session.adopt(await decodeSeed(request));
          return new Response(null, { status: (await this.#notes?.begun()) === false ? 503 : 204 });
        case PATHS.terminate:
          return this.#terminate(await decodePrincipal(request));
        case PATHS.index:
          return this.#index.answer(request);
        case PATHS.note:
          return this.#index.note(request);
        case PATHS.page:
          return this.#index.page(request);
        case PATHS.directory:
          return this.#index.enter(request);
        case PATHS.inspect:
          return this.#inspect();
        case PATHS.notify: {
          const changes = decodeChanges(await request.text());
          const unwanted = await this.#session.notify(changes.filter(isKnown));
          return unwanted === undefined ? new Response(null, { status: 404 }) : Response.json(unwanted);
        }
        case PATHS.user: {
          const { maxUserStateBytes } = options.settings;
          const asked = decodeUserRequest(await request.text());
          return Response.json(
            answerUserRequest(this.#sql, asked, { owner: "", maxBytes: maxUserStateBytes }),
          );
        }
        case PATHS.guest: {
          const { request: asked, caller } = decodeGuestRequest(await request.text());
          const guest = this.#guestHere();
          if (guest === undefined) return new Response(null, { status: 501 });
          return Response.json(await guest.ask(asked, caller));
        }
        case PATHS.live:
          return new Response(null, { status: this.#session.isLive() ? 204 : 404 });
        default:
          return new Response(null, { status: 501 });
      }
    }

    async post(message: string): Promise<string | Response> {
      if (this.#unfit !== undefined) return encodeAnswer(this.#unfit);
      let call: Call | Unreadable;
      try {
        call = decodeMessage(message, options.settings.maxInitializeBytes);
      } catch (error) {
        reportUnreadable(emit, { at: "session", what: "post" }, error);
        return encodeAnswer(COME_BACK, undefined, READ_BY_ALL);
      }
      return this.#run(call, encodeAnswer);
    }

    async #run<T>(
      call: Call | Unreadable,
      encode: (reply: Reply | Refusal, stream?: Streamed) => T,
    ): Promise<T> {
      // What this version's door does not let in, an edge of another may have.
      if ("failure" in call) return encode({ kind: "refused", failure: call.failure });
      const connectionId = call.connectionId();
      let streamed: Streamed | undefined;
      const opening = this.#notes?.opening(call);
      if (opening !== undefined && !(await opening.before())) return encode(UNNOTED);
      const reply = await this.#session.post(call, (stream) => {
        const { readable, writable } = new IdentityTransformStream();
        streamed = { body: readable, at: formatEventId(stream, 0) };
        return bodyOutlet(writable, connectionId, {
          onTaken: (place) => this.#session.ack(stream, connectionId, place),
          onBroken: () => this.#session.leave(stream, connectionId),
        });
      });
      if (opening !== undefined && !(await opening.after())) return encode(UNNOTED);
      return encode(reply, streamed);
    }

    async #attach(request: Request): Promise<Response> {
      const attach = decodeAttach(request, this.#prepared);
      if (attach === undefined) return new Response(null, { status: 503 });
      const { connectionId } = attach;
      let client: WebSocket | undefined;
      const opening = this.#notes?.opening(attach);
      if (opening !== undefined && !(await opening.before())) return encodeReply(UNNOTED);
      const reply = await this.#session.attach(attach, (stream) => {
        const { notesPlace } = attach;
        const opened = this.#sockets.open({ stream, connectionId, notesPlace });
        client = opened.client;
        return opened.outlet;
      });
      if (opening !== undefined && !(await opening.after())) return encodeReply(UNNOTED);
      if (reply.kind === "refused" || client === undefined) return encodeReply(reply);
      return new Response(null, { status: 101, webSocket: client });
    }

    async #inspect(): Promise<Response> {
      const store = createSessionStore(this.#sql, KEY);
      const alarm = (await this.ctx.storage.getAlarm()) ?? undefined;
      const inMemory = this.#session.inMemory();
      const detail = inspect({ store, inMemory, alarm, logs: options.logs(), now: Date.now() });
      return detail === undefined ? new Response(null, { status: 404 }) : Response.json(detail);
    }

    /** @param principal whose it must be, for the word to come from their index, which then hears of its end; for anybody's undefined */
    async #terminate(principal: string | undefined): Promise<Response> {
      const owner = principal === undefined ? undefined : this.#notes?.owner();
      const isOthers = owner !== undefined && owner !== null && owner !== principal;
      const wasThere = !isOthers && (await this.#session.terminate());
      await this.#notes?.ended(principal);
      return new Response(null, { status: wasThere ? 204 : 404 });
    }

    override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
      this.#sockets.message(socket, message);
    }

    override webSocketClose(socket: WebSocket, _code: number, reason: string): void {
      this.#sockets.closed(socket, reason);
    }

    override webSocketError(socket: WebSocket): void {
      this.#sockets.broken(socket);
    }

    override async alarm(): Promise<void> {
      const { guest } = options;
      const isGuest = guest?.isAt(this.#sql, this.ctx.id.toString()) === true;
      if (isGuest) await this.#guestHere()?.alarm();
      else if (this.#unfit === undefined) await this.#session.alarm();
    }

    /** The guest of this object, where there are any. */
    #guestHere(): Guest | undefined {
      const { storage, id } = this.ctx;
      const { settings, hub, host } = options;
      return (this.#guest ??= options.guest?.open({
        id: id.toString(),
        sql: sqlStore(storage),
        alarm: alarmOf(storage),
        env: this.env,
        settings,
        bus: (topic) => hub?.bus(topic),
        userChannel: (name) => host.user(name, this.env),
        waitUntil: createWaitUntil(emit, (work) => this.ctx.waitUntil(work)),
        async erase() {
          await storage.deleteAlarm();
          await storage.deleteAll();
        },
        now: Date.now,
      }));
    }
  };
}
