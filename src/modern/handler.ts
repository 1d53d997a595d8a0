/**
 * The 2026-07-28 era: stateless, one server per request, over the official SDK v2, which owns the
 * protocol's rules (headers, envelope, errors, the acknowledgement of a subscription). What is ours is
 * where a request comes from and where `subscriptions/listen` hears of changes.
 * @module
 */
import { type AuthInfo, createMcpHandler, type McpServer, type Server } from "@modelcontextprotocol/server";
import { type ChangeBus, type ChangeHub, createMemoryHub, createNotifier } from "../changes.ts";
import type { ModernCall, ModernHandler } from "../host.ts";
import { PROTOCOL_VERSION } from "../http/headers.ts";
import { isInitialize, isObject, type JsonRpcMessage, type Payload } from "../jsonrpc/messages.ts";
import type { ServerContext } from "../session/server.ts";
import { carry } from "./carry.ts";
import { createListens } from "./listen.ts";

export interface ModernOptions<Env = unknown> {
  /**
   * Builds the MCP server of one request: an SDK v2 `McpServer` or `Server`. The factory of the
   * session eras can be given here too; `context.era` tells it for which it builds.
   */
  createServer: (context: ServerContext<Env>) => McpServer | Server | Promise<McpServer | Server>;
  /** Most `subscriptions/listen` streams that are open at once in this isolate or process. Default 1024. */
  maxListeners?: number;
}

/** The revision that is served statelessly. */
const VERSION = "2026-07-28";

/** The SDK's own bus, which nobody publishes on: `listen.ts` brings the changes. */
const SILENT = { publish(): void {}, subscribe: () => (): void => {} };

/**
 * The handler that `createMcpRouter` and `createMcpWorker` take as `modern`.
 * @throws {RangeError} naming an option that is wrong
 */
export function modernHandler<Env = unknown>(options: ModernOptions<Env>): ModernHandler<Env> {
  const { createServer, maxListeners = 1024 } = options;
  if (!Number.isInteger(maxListeners) || maxListeners < 0) {
    throw new RangeError(`maxListeners must be a whole number from 0, not ${String(maxListeners)}`);
  }
  /** Requests being served, with what the factory is to be told about each. */
  const calls = new WeakMap<Request, ModernCall<Env>>();
  const listens = createListens();
  let memory: ChangeHub | undefined;

  const handler = createMcpHandler(
    async ({ requestInfo }) => {
      const call = requestInfo && calls.get(requestInfo);
      if (call === undefined) throw new Error("the request did not come through the router");
      try {
        return await createServer(contextOf(call));
      } catch (error) {
        call.onError(error);
        throw error;
      }
    },
    // Keepalives are the edge's, which holds the client's connection.
    { legacy: "reject", bus: SILENT, maxSubscriptions: maxListeners, keepAliveMs: 0 },
  );

  const answer = async (call: ModernCall<Env>, bus: ChangeBus): Promise<Response> => {
    const { request, payload, caller, settings } = call;
    // Before the SDK counts them.
    if (isListen(payload)) listens.sweep();
    const response = await handler.fetch(request, {
      ...(caller.authInfo === undefined ? {} : { authInfo: caller.authInfo as AuthInfo }),
      parsedBody: bodyOf(payload),
    });
    return isListen(payload) ? listens.serve(response, bus, settings.keepaliveIntervalMs) : response;
  };

  return {
    versions: [VERSION],

    claims(request, payload) {
      const claimed = payload.messages.map(claimOf).find((claim) => claim !== undefined);
      if (isInitialize(payload) && !isModern(claimed)) return false;
      // The body decides; the header speaks for a body that claims nothing. A later revision comes here
      // too: the SDK tells its client which is served.
      return claimed !== undefined || isModern(request.headers.get(PROTOCOL_VERSION)?.trim());
    },

    async handle(given) {
      const bus = given.bus ?? (memory ??= createMemoryHub()).bus(given.topic);
      const call = { ...given, bus };
      calls.set(call.request, call);
      const { request, settings, payload, caller } = call;
      const endsWith = isListen(payload) ? caller.authInfo : undefined;
      return carry({ request, settings, endsWith }, answer(call, bus));
    },

    close: () => handler.close(),
  };
}

function contextOf<Env>(call: ModernCall<Env>): ServerContext<Env> {
  const { env, request, payload, caller, bus } = call;
  return {
    era: "modern",
    env,
    request,
    message: payload.messages[0] as JsonRpcMessage,
    principal: caller.principal,
    authInfo: caller.authInfo,
    ...(bus === undefined ? {} : { notify: createNotifier((change) => bus.publish(change)) }),
  };
}

function bodyOf({ batch, messages }: Payload): unknown {
  return batch ? messages : messages[0];
}

/** The revision that a message names as its own, which only this era's messages do. */
function claimOf(message: JsonRpcMessage): unknown {
  const meta = "method" in message ? message.params?.["_meta"] : undefined;
  return isObject(meta) ? meta["io.modelcontextprotocol/protocolVersion"] : undefined;
}

function isModern(version: unknown): boolean {
  return typeof version === "string" && /^\d{4}-\d\d-\d\d$/.test(version) && version >= VERSION;
}

function isListen({ batch, messages: [message] }: Payload): boolean {
  return !batch && message !== undefined && "method" in message && message.method === "subscriptions/listen";
}
