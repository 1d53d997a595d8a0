/**
 * The user's server, alive in this isolate: built by its factory, connected to our transport, and
 * brought to where an earlier isolate's instance stood (rehydrated) by replaying the stored
 * `initialize`, `initialized` and sticky requests, whose answers are swallowed.
 * @module
 */
import {
  isNotification,
  isRequest,
  isResponse,
  type JsonObject,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from "../jsonrpc/messages.ts";
import { errorBody, internalError, tooLarge } from "../jsonrpc/failures.ts";
import { createInbound, createOutbound } from "./correlation.ts";
import type { EventSink } from "../events.ts";
import type { Exchange } from "./exchange.ts";
import { challengeOf, type ScopeRefusal, type ScopeResolver } from "./scopes.ts";
import type { ConnectableServer } from "./server.ts";
import { createTransport, type MessageExtra, type SessionTransport } from "./transport.ts";

/** A request in flight: one of a POST's, or one of our own replay. */
type InFlight =
  | { readonly exchange: Exchange; readonly request: JsonRpcRequest }
  | { readonly exchange?: undefined; readonly replayed: (response: JsonRpcResponse) => void };

export interface Instance {
  /** Number of requests in flight. */
  size(): number;
  /** Exchanges with a request in flight, each once. */
  exchanges(): Set<Exchange>;
  /** What the server asks of the caller's token for these requests. To be asked before any of them is handed on. */
  challenge(requests: readonly JsonRpcRequest[], authInfo: unknown): ScopeRefusal;
  /** Hands a client's request to the server; its answer goes to `exchange`. */
  request(request: JsonRpcRequest, exchange: Exchange, extra: MessageExtra): void;
  /** Hands on a notification. A cancellation releases the request that it names. */
  notify(message: JsonRpcMessage, extra: MessageExtra): void;
  /** Hands on an answer to one of the server's requests; false where nobody waits for it. */
  respond(response: JsonRpcResponse, extra: MessageExtra): boolean;
  /** Ends the server: aborts its handlers and rejects what it waits for. */
  close(): void;
}

export interface InstanceOptions {
  readonly sessionId: string;
  readonly create: () => ConnectableServer | Promise<ConnectableServer>;
  readonly maxEventBytes: number;
  readonly emit: EventSink;
  /** What to replay: nothing for a session that is being opened. */
  readonly replay: {
    readonly initialize: JsonObject | undefined;
    readonly initialized: boolean;
    readonly sticky: readonly { method: string; params: JsonObject }[];
  };
  /** Where a message goes that belongs to no request: to the standalone stream. */
  readonly sendUnrelated: (json: string) => Promise<void>;
  /** True while a client listens on the standalone stream. */
  readonly hasListener: () => boolean;
  /** Makes one unit of what an answer that is stored writes. */
  readonly transaction: <T>(body: () => T) => T;
  /** A request was answered, before the answer goes out. */
  readonly onAnswered: (request: JsonRpcRequest, response: JsonRpcResponse) => void;
}

/** Builds, connects and rehydrates. Rejects where the factory or the server does. */
export async function startInstance(options: InstanceOptions): Promise<Instance> {
  const inbound = createInbound<InFlight>();
  const outbound = createOutbound();
  /** While replaying, what the server announces on its own has been announced before. */
  let replaying = true;

  const exchanges = (): Set<Exchange> => {
    const found = new Set<Exchange>();
    for (const { exchange } of inbound.entries()) if (exchange !== undefined) found.add(exchange);
    return found;
  };

  /**
   * The stream for a server's request that names no inbound one: SDK v2's `elicitInput` inside a
   * handler does not. Without a listener on the standalone stream it would hang to its time-out, so
   * it takes the stream of the one call in flight, if there is just one.
   */
  const onlyExchange = (): Exchange | undefined => {
    if (options.hasListener()) return undefined;
    const [only, another] = [...exchanges()].filter((exchange) => exchange.streams);
    return another === undefined ? only : undefined;
  };

  const write = (message: JsonRpcMessage): string => {
    const json = JSON.stringify(message);
    if (json.length > options.maxEventBytes) {
      throw new RangeError(
        `The message has ${json.length} bytes; at most ${options.maxEventBytes} can be sent (maxEventBytes)`,
      );
    }
    return json;
  };

  const answer = (response: JsonRpcResponse): Promise<void> => {
    const call = inbound.take(response.id);
    // Cancelled, or a second answer: nobody waits.
    if (call === undefined) return Promise.resolve();
    if (call.entry.exchange === undefined) {
      call.entry.replayed(response);
      return Promise.resolve();
    }
    const { exchange, request } = call.entry;
    let restored: JsonRpcResponse = { ...response, id: call.original };
    let json = JSON.stringify(restored);
    if (json.length > options.maxEventBytes) {
      restored = tooLarge(call.original, json.length, options.maxEventBytes);
      json = JSON.stringify(restored);
    }
    const finish = (): Promise<void> => {
      options.onAnswered(request, restored);
      return exchange.answer(call.original, json);
    };
    if (exchange.stores()) return options.transaction(finish);
    try {
      return finish();
    } catch {
      // What it changed cannot be stored (a full disk): for the client it has not happened.
      return exchange.answer(call.original, errorBody(internalError.error, call.original));
    }
  };

  const send = async (message: JsonRpcMessage, related: RequestId | undefined): Promise<void> => {
    if (isResponse(message)) return answer(message);
    if (replaying && related === undefined && isNotification(message)) return;
    let outgoing: JsonRpcMessage = message;
    if (isRequest(message)) {
      outgoing = { ...message, ...definedParams(outbound.rename(message.id, message.params)) };
    } else if (message.method === "notifications/cancelled") {
      const requestId = outbound.cancel(message.params?.["requestId"] as RequestId);
      outgoing = { ...message, params: { ...message.params, requestId } };
    }
    const exchange =
      related !== undefined
        ? inbound.get(related)?.exchange
        : isRequest(message)
          ? onlyExchange()
          : undefined;
    const json = write(outgoing);
    return exchange === undefined ? options.sendUnrelated(json) : exchange.send(json);
  };

  /** Without one, as of SDK v1 and of servers of other makes, no request needs anything. */
  let scopes: ScopeResolver | undefined;
  const transport = createTransport(options.sessionId, send, (resolver) => (scopes = resolver));
  const deliver = (message: JsonRpcMessage, extra?: MessageExtra): void =>
    transport.onmessage?.(message, extra);

  const instance: Instance = {
    size: inbound.size,
    exchanges,
    challenge: (requests, authInfo) => scopes && challengeOf(requests, authInfo, scopes, options.emit),
    request(request, exchange, extra) {
      deliver({ ...request, id: inbound.add(request.id, { exchange, request }) }, extra);
    },
    notify(message, extra) {
      if (!isNotification(message)) return;
      const { method, params } = message;
      if (method === "notifications/cancelled") {
        const id = inbound.find(params?.["requestId"] as RequestId);
        if (id === undefined) return;
        const call = inbound.take(id);
        deliver({ ...message, params: { ...params, requestId: id } }, extra);
        if (call !== undefined) call.entry.exchange?.cancel(call.original);
        return;
      }
      const token =
        method === "notifications/progress" ? outbound.restoreToken(params?.["progressToken"]) : undefined;
      deliver(
        token === undefined ? message : { ...message, params: { ...params, progressToken: token } },
        extra,
      );
    },
    respond(response, extra) {
      const restored = outbound.restore(response);
      if (restored !== undefined) deliver(restored, extra);
      return restored !== undefined;
    },
    close: () => void transport.close(),
  };

  const replayRequest = (method: string, params: JsonObject): Promise<JsonRpcResponse> =>
    new Promise((resolve) => {
      const id = inbound.add("replay", { replayed: resolve });
      deliver({ jsonrpc: "2.0", id, method, params });
    });

  try {
    const server = await options.create();
    await server.connect(transport satisfies SessionTransport);
    const { initialize, initialized, sticky } = options.replay;
    if (initialize !== undefined) {
      const { error } = await replayRequest("initialize", initialize);
      if (error !== undefined) throw new Error(`the server refused the stored initialize: ${error.message}`);
      if (initialized) deliver({ jsonrpc: "2.0", method: "notifications/initialized" });
      for (const { method, params } of sticky) await replayRequest(method, params);
    }
    replaying = false;
    return instance;
  } catch (error) {
    instance.close();
    throw error;
  }
}

function definedParams<T extends { params: JsonObject | undefined }>(message: T): T {
  const { params, ...rest } = message;
  return (params === undefined ? rest : message) as T;
}
