/**
 * The Durable Object behind `listen`: one hub for each topic. Each edge isolate that has listeners
 * holds one WebSocket to it; a publication is numbered, stored, and sent to each once. Sessions that
 * want to hear of a change are told by a call.
 *
 * The hub sleeps while links stand idle: their pings are answered by the runtime.
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import { type Change, nameOf } from "../src/changes.ts";
import { messageOf, shortId } from "../src/log-text.ts";
import type { Settings } from "../src/options.ts";
import { keyOf, keysOf } from "./hub-names.ts";
import { openRing, type Ring, RING_TTL_MS } from "./hub-ring.ts";
import {
  AFTER_HEADER,
  decodeAfter,
  decodeForget,
  decodeNames,
  decodePublication,
  decodeWatch,
  HUB_PATHS,
  type HubFrame,
  type Publication,
} from "./hub-wire.ts";
import { PING, PONG } from "./links.ts";
import { READ_BY_ALL, reportUnreadable, stamp, stamped, versionOf } from "../src/wire/version.ts";
import { PATHS } from "./wire.ts";

/** What the hub's object goes by. */
export interface HubObjectOptions<Env> {
  readonly settings: Settings;
  /** The namespace of the session class. */
  readonly sessions: (env: Env) => DurableObjectNamespace;
}

/** Sessions that are told at the same time. */
const TELL_AT_ONCE = 32;
/** The one name that a session watches besides its resources. */
const LISTS = 1;

/** Makes the Durable Object class for these options. */
export function hubObject<Env>(
  options: HubObjectOptions<Env>,
): new (ctx: DurableObjectState, env: Env) => DurableObject<Env> {
  const { settings } = options;
  const { emit } = settings;

  return class McpHub extends DurableObject<Env> {
    #opened: Ring | undefined;
    #isTelling = false;
    #hasAlarm = false;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
    }

    override async fetch(request: Request): Promise<Response> {
      try {
        const version = versionOf(request);
        return stamp(await this.#answer(request), version);
      } catch (error) {
        reportUnreadable(emit, { at: "hub", what: new URL(request.url).pathname.slice(1) }, error);
        return stamp(new Response(null, { status: 503 }), READ_BY_ALL);
      }
    }

    async #answer(request: Request): Promise<Response> {
      switch (request.url) {
        case HUB_PATHS.listen:
          return this.#listen(decodeAfter(request.headers.get(AFTER_HEADER)));
        case HUB_PATHS.publish:
          await this.#publish(decodePublication(await request.text()));
          return new Response(null, { status: 204 });
        case HUB_PATHS.watch: {
          const { session, names, drop } = decodeWatch(await request.text());
          const ring = this.#ring();
          ring.unwatch(session, await keysOf(drop));
          if (!ring.watch(session, await keysOf(names))) return new Response(null, { status: 429 });
          if (!ring.isWatched()) await this.#cleanLater();
          return new Response(null, { status: 204 });
        }
        case HUB_PATHS.forget:
          this.#ring().unwatch(decodeForget(await request.text()).session);
          await this.#cleanLater();
          return new Response(null, { status: 204 });
        default:
          return new Response(null, { status: 501 });
      }
    }

    #ring(): Ring {
      return (this.#opened ??= openRing(this.ctx.storage, { namesEach: settings.maxSubscriptions + LISTS }));
    }

    /** Opens a link. Its first frame says where the numbers stand, and brings what a broken one missed. */
    #listen(after: number | undefined): Response {
      const ring = this.#ring();
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      const changes = after === undefined ? [] : ring.after(after);
      server.send(JSON.stringify({ seq: ring.last, changes } satisfies HubFrame));
      void this.#tell();
      return new Response(null, { status: 101, webSocket: client });
    }

    async #publish({ id, changes, again }: Publication): Promise<void> {
      const ring = this.#ring();
      if (!ring.append(id, changes, again)) return;
      const frame = JSON.stringify({ seq: ring.last, changes } satisfies HubFrame);
      for (const socket of this.ctx.getWebSockets()) {
        try {
          socket.send(frame);
        } catch {
          // Gone; its edge dials again and asks for what it missed.
        }
      }
      void this.#tell();
      await this.#cleanLater();
    }

    /**
     * Tells the sessions that want to hear. One round at a time: what is published meanwhile waits for
     * the next, where a session hears of each change once however often it was published.
     */
    async #tell(): Promise<void> {
      if (this.#isTelling) return;
      this.#isTelling = true;
      const ring = this.#ring();
      try {
        while (ring.told < ring.last) {
          const upTo = ring.last;
          const due = ring.isWatched() ? await this.#due(ring.after(ring.told)) : [];
          const next = async (): Promise<void> => {
            for (let one = due.pop(); one !== undefined; one = due.pop()) await this.#tellOne(...one);
          };
          await Promise.all(Array.from({ length: Math.min(TELL_AT_ONCE, due.length) }, next));
          ring.tell(upTo);
        }
      } finally {
        this.#isTelling = false;
      }
    }

    async #due(changes: readonly Change[]): Promise<[session: string, changes: Change[]][]> {
      const distinct = new Map(changes.map((change) => [JSON.stringify(change), change]));
      const due = new Map<string, Change[]>();
      for (const change of distinct.values()) {
        for (const session of this.#ring().watchers(await keyOf(nameOf(change)))) {
          const held = due.get(session);
          if (held === undefined) due.set(session, [change]);
          else held.push(change);
        }
      }
      return [...due];
    }

    async #tellOne(session: string, changes: readonly Change[]): Promise<void> {
      const namespace = options.sessions(this.env);
      const ask = (): Promise<Response> =>
        namespace
          .get(namespace.idFromString(session))
          .fetch(PATHS.notify, { method: "POST", body: JSON.stringify(changes), headers: stamped() });
      try {
        const answer = await ask().catch(ask);
        versionOf(answer);
        if (answer.status === 404) this.#ring().unwatch(session);
        else if (answer.status === 200) {
          this.#ring().unwatch(session, await keysOf(decodeNames(await answer.text())));
        } else throw new Error(`the session answered ${answer.status}`);
      } catch (error) {
        emit("send.error", { session: shortId(session), message: messageOf(error) });
      }
    }

    async #cleanLater(): Promise<void> {
      if (this.#hasAlarm) return;
      this.#hasAlarm = true;
      const { storage } = this.ctx;
      if ((await storage.getAlarm()) === null) await storage.setAlarm(Date.now() + RING_TTL_MS);
    }

    override async alarm(): Promise<void> {
      this.#hasAlarm = false;
      const ring = this.#ring();
      const again = ring.age();
      if (again !== undefined) {
        this.#hasAlarm = true;
        return this.ctx.storage.setAlarm(again);
      }
      if (ring.isWatched() || this.ctx.getWebSockets().length > 0) return;
      this.#opened = undefined;
      await this.ctx.storage.deleteAll();
    }

    override async webSocketClose(socket: WebSocket): Promise<void> {
      socket.close();
      await this.#cleanLater();
    }

    override async webSocketError(): Promise<void> {
      await this.#cleanLater();
    }
  };
}
