/**
 * The 2026-07-28 era: stateless, one server per request, over the official SDK v2, which owns the
 * protocol's rules (headers, envelope, errors, the acknowledgement of a subscription). What is ours is
 * where a request comes from and where `subscriptions/listen` hears of changes.
 * @module
 */
import { type AuthInfo, createMcpHandler, McpServer, type Server } from "@modelcontextprotocol/server";
import { type ChangeBus, type ChangeHub, createMemoryHub } from "../changes.ts";
import type { StatelessCall, ModernHandler } from "../host.ts";
import { PROTOCOL_VERSION, single } from "../http/headers.ts";
import { hookFailed, hookInTime, HookLate } from "../hooks.ts";
import { failed, json } from "../http/respond.ts";
import {
  isInitialize,
  isObject,
  isRequest,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type Payload,
} from "../jsonrpc/messages.ts";
import * as failures from "../jsonrpc/failures.ts";
import { refusalId } from "../jsonrpc/parse.ts";
import type { Settings } from "../options.ts";
import type { Asking } from "../session/server/scopes.ts";
import type { ServerContext } from "../session/server/factory.ts";
import { type CallEnd, callEnd, hooksOf } from "./call-end.ts";
import { contextOf } from "../request/context.ts";
import { enterRoom, type Leave } from "../room.ts";
import { ANYTHING, checkGiven, checkServer, FUNCTION, type Kind, needed } from "../setup.ts";
import { carry } from "./carry.ts";
import type { ModernExtension, Serve } from "./extension.ts";
import { createListens } from "./listen.ts";
import { createPlaces } from "./places.ts";
import { seenCall } from "./seen.ts";

/** What the handler builds its servers by. */
export interface ModernOptions<Env = unknown> {
  /**
   * Builds the MCP server of one request: an SDK v2 `McpServer` or `Server`. The factory of the
   * session eras can be given here too; `context.era` tells it for which it builds.
   */
  createServer: (context: ServerContext<Env>) => McpServer | Server | Promise<McpServer | Server>;
  /** Most `subscriptions/listen` streams that are open at once in this isolate or process; 503 above. Default 1024. */
  maxListeners?: number;
  /**
   * Most of them that belong to one principal; 429 above. Default 128. Without `authorize` all callers are one
   * stranger, and only `maxListeners` counts.
   */
  maxListenersPerPrincipal?: number;
  /**
   * Most bytes of one `subscriptions/listen` request, which is kept while its stream is open; 413 above. How many
   * resources it may name is `maxSubscriptions`. Default 131072.
   */
  maxListenBytes?: number;
  /** Calls that outlive their request: `durableTasks` of `holdfast/tasks`. */
  tasks?: ModernExtension;
}

/** What each option must be; the numbers are checked as they are read. */
const KINDS: Required<{ [Name in keyof ModernOptions]: Kind }> = {
  createServer: needed(FUNCTION),
  maxListeners: ANYTHING,
  maxListenersPerPrincipal: ANYTHING,
  maxListenBytes: ANYTHING,
  tasks: ANYTHING,
};

/** What is done with a server between its factory and its connection. */
interface Preparing {
  readonly prepare: (server: McpServer | Server) => McpServer | Server;
  /** Hears why there is no server. */
  readonly onError: (error: unknown) => void;
}

/** The revision that is served statelessly. */
const VERSION = "2026-07-28";

/** The SDK's own bus, which nobody publishes on: `listen.ts` brings the changes. */
const SILENT = { publish(): void {}, subscribe: () => (): void => {} };

/**
 * The handler that `createMcpRouter` and `createMcpWorker` take as `modern`.
 * @throws {RangeError | TypeError} naming an option that is wrong
 */
export function modernHandler<Env = unknown>(options: ModernOptions<Env>): ModernHandler<Env> {
  checkGiven("modernHandler", options, KINDS);
  const {
    createServer,
    maxListeners = 1024,
    maxListenersPerPrincipal = 128,
    maxListenBytes = 131_072,
    tasks: extension,
  } = options;
  const limits = { maxListeners, maxListenersPerPrincipal, maxListenBytes };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isInteger(value) || value < 0) {
      throw new RangeError(`${name} must be a whole number from 0, not ${String(value)}`);
    }
  }
  /** What builds the server of each request that is being served. */
  const builders = new WeakMap<Request, () => Promise<McpServer | Server>>();
  const listens = createListens();
  const places = createPlaces(limits);
  let memory: ChangeHub | undefined;

  const handler = createMcpHandler(
    async ({ requestInfo }) => {
      const build = requestInfo && builders.get(requestInfo);
      if (build === undefined) throw new Error("the request did not come through the router");
      return build();
    },
    // Keepalives are the edge's, which holds the client's connection. Listeners are counted before the SDK sees
    // them: its own count, which lags a little behind, must not refuse one that has a place.
    { legacy: "reject", bus: SILENT, maxSubscriptions: Infinity, keepAliveMs: 0 },
  );

  const fetch = (request: Request, authInfo: unknown, parsedBody: unknown): Promise<Response> =>
    handler.fetch(request, {
      ...(authInfo === undefined ? {} : { authInfo: authInfo as AuthInfo }),
      parsedBody,
    });

  /** Builds a server in time, ready to be connected. */
  const build = async (
    context: ServerContext<Env>,
    { initializeTimeoutMs, emit }: Settings,
    { prepare, onError }: Preparing,
  ): Promise<McpServer | Server> => {
    try {
      const server = await hookInTime("createServer", createServer(context), initializeTimeoutMs);
      checkServer(server);
      return prepare(server);
    } catch (error) {
      if (error instanceof HookLate) hookFailed(emit, "createServer", error);
      else onError(error);
      throw error;
    }
  };

  /** Serves a call of the router's, which the extension may answer in its server's place. */
  const serve = async (call: StatelessCall<Env>, end: CallEnd): Promise<Response> => {
    const { request, payload, caller, settings } = call;
    const { emit, initializeTimeoutMs: limitMs } = settings;
    let made: ((response: Response) => Promise<Response>) | undefined;
    builders.set(request, async () => {
      const prepare = (server: McpServer | Server): McpServer | Server => {
        made = extension?.extend(hooksOf(server), call);
        end.served(server);
        return scopesInTime(server, { emit, limitMs });
      };
      return build(contextOf("modern", call), settings, { prepare, onError: call.onError });
    });
    const response = await fetch(request, caller.authInfo, bodyOf(payload));
    return made === undefined ? response : made(response);
  };

  /** Serves a call of the extension's, wherever it is held. */
  const run: Serve = async ({ context, request, message, caller, settings, onServer }) => {
    const payload = { batch: false, messages: [message] };
    const seen = seenCall({ payload, settings, caller }, "task");
    // Neither does a call's time end it, which has a longer one, nor whoever is shut out from now on: he is where he asks.
    const end = callEnd({ payload, settings: { ...settings, maxCallMs: 0 }, caller, since: 0 }, seen);
    builders.set(request, async () => {
      const prepare = (server: McpServer | Server): McpServer | Server => {
        onServer(server);
        end.served(server);
        return server;
      };
      const onError = (error: unknown): void => hookFailed(settings.emit, "createServer", error);
      return build(context as ServerContext<Env>, settings, { prepare, onError });
    });
    const answering = seen.run(() => fetch(request, caller.authInfo, message)).finally(end.stop);
    answering.then(
      // The SDK answers what is cut off with a status as well.
      ({ status }) => (request.signal.aborted ? seen.over("client") : status >= 400 && seen.left(status)),
      () => seen.over("client"),
    );
    return Promise.race([answering, end.instead.then((body) => json(body))]);
  };

  const answer = async (
    call: StatelessCall<Env> & { readonly bus: ChangeBus },
    end: CallEnd,
    hub: ChangeBus | undefined,
  ): Promise<Response> => {
    const { payload, settings, bus } = call;
    const listening = listenOf(payload);
    if (listening === undefined) return serve(call, end);
    const more = hub && extension?.listening(call, listening);
    if (more !== undefined && "status" in more) return failed(more, {}, listening.id);
    listens.sweep();
    const place = places.enter(call);
    if ("status" in place) return failed(place, {}, listening.id);
    try {
      const response = await serve(call, end);
      const ready = async (): Promise<void> =>
        void (await Promise.all([bus.ready?.(), end.watch?.everywhere()]));
      const keepaliveMs = settings.keepaliveIntervalMs;
      return await listens.serve(response, { place, bus: { ...bus, ready }, more, keepaliveMs });
    } catch (error) {
      place.leave();
      throw error;
    }
  };

  return {
    versions: [VERSION],
    guest: extension?.guest(run),

    claimsByHeader,

    claims(request, payload) {
      const claimed = payload.messages.map(claimOf).find((claim) => claim !== undefined);
      if (isInitialize(payload) && !isModern(claimed)) return false;
      // The body decides; the header speaks for a body that claims nothing. A later revision comes here
      // too: the SDK tells its client which is served.
      return claimed !== undefined || claimsByHeader(request);
    },

    async handle(given) {
      const bus = given.bus ?? (memory ??= createMemoryHub()).bus(given.topic);
      const call = { ...given, bus };
      const { request, settings, payload, caller } = call;
      const listening = listenOf(payload);
      const endsWith = listening === undefined ? undefined : caller.authInfo;
      const seen = seenCall(call);
      // Listeners have a bound of their own.
      const leave = enterRoom(settings, listening === undefined ? (payload.weight ?? 0) : 0);
      if (leave === undefined) {
        const refused = failed(failures.tooManyBodies, {}, refusalId(payload));
        seen.run(() => seen.left(refused.status));
        return refused;
      }
      const end = endingWith(callEnd(call, seen), leave);
      const answering = seen.run(() => answer(call, end, given.bus));
      return carry({ request, payload, settings, endsWith, seen }, answering, end);
    },

    async close() {
      listens.close();
      await handler.close();
    },
  };
}

/** Has the call's end give back the room that it took. */
function endingWith(end: CallEnd, leave: Leave): CallEnd {
  const stop = (): void => {
    end.stop();
    leave();
  };
  return { ...end, stop };
}

const inTime = new WeakSet<McpServer>();

/** The SDK asks the server by itself which scopes a request needs: as in the session eras, not for ever. */
function scopesInTime(
  server: McpServer | Server,
  { emit, limitMs }: Pick<Asking, "emit" | "limitMs">,
): McpServer | Server {
  // One that is served a second time has been given its limit.
  if (!(server instanceof McpServer) || inTime.has(server)) return server;
  inTime.add(server);
  const resolve = server.resolveScopeChallenge.bind(server);
  server.resolveScopeChallenge = async (context) => {
    try {
      return await hookInTime("scopeChallenge", resolve(context), limitMs);
    } catch (error) {
      hookFailed(emit, "scopeChallenge", error);
      throw error;
    }
  };
  return server;
}

function bodyOf({ batch, messages }: Payload): unknown {
  return batch ? messages : messages[0];
}

/** The revision that a message names as its own, which only this era's messages do. */
function claimOf(message: JsonRpcMessage): unknown {
  const meta = "method" in message ? message.params?.["_meta"] : undefined;
  return isObject(meta) ? meta["io.modelcontextprotocol/protocolVersion"] : undefined;
}

function claimsByHeader(request: Request): boolean {
  return isModern(single(request.headers.get(PROTOCOL_VERSION))?.trim());
}

function isModern(version: unknown): boolean {
  return typeof version === "string" && /^\d{4}-\d\d-\d\d$/.test(version) && version >= VERSION;
}

function listenOf({ batch, messages: [message] }: Payload): JsonRpcRequest | undefined {
  const isOne = !batch && message !== undefined && isRequest(message);
  return isOne && message.method === "subscriptions/listen" ? message : undefined;
}
