/**
 * The user's server, alive in this isolate: built by its factory, connected to our transport, and
 * brought to where an earlier isolate's instance stood (rehydrated) by replaying the stored
 * `initialize`, `initialized` and sticky requests, whose answers are swallowed.
 * @module
 */
import { type EventSink, type Outcome, shortId } from "../../events.ts";
import { isThenable } from "../../guard.ts";
import { clientUnreachable, interrupted } from "../../jsonrpc/failures.ts";
import {
  isNotification,
  isObject,
  isRequest,
  isResponse,
  type JsonObject,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from "../../jsonrpc/messages.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import type { CallDetail } from "../../sessions.ts";
import { type CallsOptions, type ClientCall, createCalls } from "./in-flight.ts";
import { createOutbound } from "./correlation.ts";
import type { Exchange } from "./reply.ts";
import { challengeOf, type ScopeRefusal, type ScopeResolver } from "./scopes.ts";
import type { ConnectableServer } from "./factory.ts";
import { isAnswerLost, toolThrew, withoutPayload } from "./reports.ts";
import { hearThrows } from "./throws.ts";
import { createTransport, type MessageExtra } from "./transport.ts";
import { type UserServer, userServer } from "./user-server.ts";

/** One server of the user's, from its factory to its end. */
export interface Instance {
  /** Resolves once messages can be handed on. Rejects where the factory or the server does, or it is ended first. */
  readonly ready: Promise<void>;
  /** Number of requests in flight. */
  size(): number;
  /** The client's requests in flight. */
  requests(): JsonRpcRequest[];
  /** The same, for whoever runs the server. */
  inFlight(): CallDetail[];
  /** What the server asks of the caller's token for these requests. To be asked before any of them is handed on. */
  challenge(requests: readonly JsonRpcRequest[], authInfo: unknown): ScopeRefusal;
  /** Hands a client's request to the server; its answer goes to `exchange`. `due` is when it will have run for too long. */
  request(request: JsonRpcRequest, exchange: Exchange, extra: MessageExtra, due: number): void;
  /** Hands on a notification. A cancellation releases the request that it names. */
  notify(message: JsonRpcMessage, extra: MessageExtra): void;
  /** Hands on an answer to one of the server's requests; false where nobody waits for it. */
  respond(response: JsonRpcResponse, extra: MessageExtra): boolean;
  /** When the first request in flight is due. */
  due(): number | undefined;
  /** Cancels what is due by now, and answers it with an error. */
  expire(now: number): void;
  /** Settles each exchange that is under way, by which its calls end as `outcome` says (`interrupted`), then ends the server: aborts its handlers and rejects what it waits for. Never throws. */
  close(settle: (exchange: Exchange) => void, outcome?: Outcome): void;
}

export interface InstanceOptions extends CallsOptions {
  readonly emit: EventSink;
  /** In front of the ids of what the server asks its client. */
  readonly questionPrefix?: string | undefined;
  readonly create: () => ConnectableServer | Promise<ConnectableServer>;
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
  /**
   * The server is where the last one stood: its answer to the stored `initialize`. Not told for a session that
   * is being opened.
   */
  readonly onRehydrated?: ((result: JsonObject) => void) | undefined;
  /** There is nobody who could answer: what the server asks of the client is refused at once. */
  readonly refuseRequests?: boolean;
  /** The server has ended by itself, or could not be kept; its calls are answered. */
  readonly onClosed: () => void;
}

const PROGRESS = "notifications/progress";

/** Builds, connects and rehydrates. */
export function startInstance(options: InstanceOptions): Instance {
  const { emit, watch } = options;
  const session = options.sessionId && shortId(options.sessionId);
  const calls = createCalls(options);
  const outbound = createOutbound(options.questionPrefix ?? "");
  /** While replaying, what the server announces on its own has been announced before. */
  let replaying = true;
  let isOver = false;
  let server: UserServer | undefined;
  let created: ConnectableServer | undefined;
  /** What the server has reported since it was handed the last message. */
  let complaint: unknown;

  const threw = (tool: string | undefined, error: unknown): void => toolThrew(emit, { session, tool }, error);

  const complain = (error: unknown): void => {
    complaint = error ?? "the server reported an error";
    emit("server.error", { session, message: withoutPayload(error) });
    if (isAnswerLost(error)) calls.miss(error);
  };

  /**
   * The stream for a server's request that names no inbound one: SDK v2's `elicitInput` inside a
   * handler does not. Without a listener on the standalone stream it would hang to its time-out, so
   * it takes the stream of the one call in flight, if there is just one.
   */
  const onlyExchange = (): Exchange | undefined => {
    if (options.hasListener()) return undefined;
    const [only, another] = [...calls.exchanges()].filter((exchange) => exchange.streams);
    return another === undefined ? only : undefined;
  };

  const write = (message: JsonRpcMessage): string => {
    const json = toWire(message);
    if (json.length > options.maxEventBytes) {
      throw new RangeError(
        `The message has ${json.length} bytes; at most ${options.maxEventBytes} can be sent (maxEventBytes)`,
      );
    }
    return json;
  };

  /** Where a message goes, as JSON; `exchange` is undefined for the standalone stream. */
  const pass = (message: JsonRpcMessage, exchange: Exchange | undefined): Promise<void> => {
    const json = write(message);
    return exchange === undefined ? options.sendUnrelated(json) : exchange.send(json);
  };

  const ask = async (message: JsonRpcRequest, exchange: Exchange | undefined): Promise<void> => {
    if (options.refuseRequests === true) {
      return queueMicrotask(() => deliver(clientUnreachable(message.id), undefined));
    }
    const renamed = { ...message, ...definedParams(outbound.rename(message.id, message.params)) };
    try {
      await pass(renamed, exchange);
    } catch (error) {
      // It never left: no answer will come.
      outbound.cancel(message.id);
      throw error;
    }
  };

  const send = async (message: JsonRpcMessage, related: RequestId | undefined): Promise<void> => {
    if (isResponse(message)) {
      // One that comes too late is nobody's, and nobody's fault.
      return isOver ? undefined : calls.answer(message, tell);
    }
    if (isOver) throw new Error("The session has ended");
    const isWithdrawal = message.method === "notifications/cancelled";
    const wireId = isWithdrawal ? outbound.cancel(message.params?.["requestId"] as RequestId) : undefined;
    const outgoing = isWithdrawal
      ? { ...message, params: { ...message.params, requestId: wireId } }
      : message;
    if (related === undefined) {
      if (isRequest(message)) return ask(message, onlyExchange());
      if (replaying) return;
      if (isStale(message)) throw new Error("Progress was reported on a call that is over");
      return pass(progressed(outgoing, undefined), undefined);
    }
    const call = calls.find(related);
    if (call === undefined) {
      // The question that it withdraws was part of a call that is over, and went with it.
      if (isWithdrawal) return;
      throw new Error(`No call is in flight under request id ${related}: it was answered or cancelled`);
    }
    if (isRequest(message)) {
      if (call.exchange === undefined) throw new Error("Nobody waits for a request that is replayed");
      return ask(message, call.exchange);
    }
    // What a replayed request says on its way, it has said before.
    if (call.exchange !== undefined) return pass(progressed(outgoing, call), call.exchange);
  };

  /** Progress, above what heartbeats have said; any other message as it is. */
  const progressed = (message: JsonRpcMessage, call: ClientCall | undefined): JsonRpcMessage => {
    if (!isNotification(message) || message.method !== PROGRESS || message.params === undefined)
      return message;
    const on = call ?? calls.ofToken(message.params["progressToken"]);
    const params = on && calls.progressed(on, message.params);
    return params === undefined || params === message.params ? message : { ...message, params };
  };

  /** Progress must be on a request in flight (progress, "Progress Flow"), or on a task, which outlives its request. */
  const isStale = (message: JsonRpcMessage): boolean => {
    if (!isNotification(message) || message.method !== PROGRESS) return false;
    const meta = message.params?.["_meta"];
    if (isObject(meta) && "io.modelcontextprotocol/related-task" in meta) return false;
    return calls.ofToken(message.params?.["progressToken"]) === undefined;
  };

  /** Each exchange is settled, and the server told that it is over. */
  const end = (settle: (exchange: Exchange) => void, outcome: Outcome = "interrupted"): void => {
    if (isOver) return;
    isOver = true;
    calls.end(settle, outcome);
    giveUp(new Error("the server closed its transport while it was being started"));
    server?.close();
  };

  /** Without one, as of SDK v1 and of servers of other makes, no request needs anything. */
  let scopes: ScopeResolver | undefined;

  const transport = createTransport(options.sessionId, {
    scopes: (resolver) => void (scopes = resolver),
    send,
    error: complain,
    close() {
      if (isOver) return;
      emit("session.server_closed", { session, calls: calls.size() });
      end((exchange) => exchange.fail(interrupted));
      options.onClosed();
    },
  });

  /** Hands a message on; `onFailed` hears where the server throws, or rejects, over it. */
  const deliver = (message: JsonRpcMessage, extra: MessageExtra | undefined, id?: RequestId): void => {
    complaint = undefined;
    try {
      if (transport.onmessage === undefined) complain("the server listens to no messages");
      const returned = transport.onmessage?.(message, extra) as unknown;
      if (isThenable(returned)) {
        returned.then(undefined, (error: unknown) => {
          complain(error);
          if (id !== undefined) calls.refuse(id, error);
        });
      }
    } catch (error) {
      complain(error);
    }
    // The SDKs report what they drop, and forget it.
    if (complaint !== undefined && id !== undefined) calls.refuse(id, complaint);
  };

  /** A request of our own whose answer nobody waits for. */
  const tell = (method: string, params: JsonObject): void =>
    isOver ? undefined : deliver({ jsonrpc: "2.0", id: calls.fresh(), method, params }, undefined);

  const withdraw = (requestId: number, params: JsonObject, extra?: MessageExtra): void =>
    deliver({ jsonrpc: "2.0", method: "notifications/cancelled", params: { ...params, requestId } }, extra);

  const replayRequest = (method: string, params: JsonObject): Promise<JsonRpcResponse> =>
    new Promise((resolve) => {
      const id = calls.replay(resolve);
      deliver({ jsonrpc: "2.0", id, method, params }, undefined, id);
    });

  const start = async (): Promise<void> => {
    let greeting: JsonObject | undefined;
    created = await options.create();
    server = userServer(created, transport, emit, complain);
    await server.connect();
    if (isOver) {
      // Given up while it was being built or connected: it must not live on unseen.
      server.close();
      return;
    }
    const { initialize, initialized, sticky } = options.replay;
    if (initialize !== undefined) {
      const { error, result } = await replayRequest("initialize", initialize);
      if (error !== undefined) throw new Error(`the server refused the stored initialize: ${error.message}`);
      greeting = result ?? {};
      if (initialized) deliver({ jsonrpc: "2.0", method: "notifications/initialized" }, undefined);
      for (const { method, params } of sticky) await replayRequest(method, params);
    }
    replaying = false;
    if (greeting !== undefined) options.onRehydrated?.(greeting);
  };

  let giveUp: (error: Error) => void = () => {};
  const ready = new Promise<void>((resolve, reject) => {
    giveUp = reject;
    start().then(resolve, (error: unknown) => {
      reject(error instanceof Error ? error : new Error(String(error)));
      end(() => {});
    });
  });

  return {
    ready,
    size: calls.size,
    requests: calls.requests,
    inFlight: calls.inFlight,
    challenge: (requests, authInfo) => scopes && challengeOf(requests, authInfo, scopes, emit),
    request(request, exchange, extra, due) {
      const watched = watch?.began(request, () => extra.requestInfo?.headers);
      const id = calls.begin(request, exchange, { due, watched });
      const tool = request.method === "tools/call" ? request.params?.["name"] : undefined;
      if (typeof tool === "string") hearThrows(created, tool, threw);
      if (watched === undefined) return deliver({ ...request, id }, extra, id);
      watched.run(() => deliver({ ...request, id }, extra, id));
    },
    notify(message, extra) {
      if (!isNotification(message)) return;
      const { method, params } = message;
      if (method === "notifications/cancelled") {
        return calls.cancel(params?.["requestId"] as RequestId, (id) => withdraw(id, params ?? {}, extra));
      }
      const token = method === PROGRESS ? outbound.restoreToken(params?.["progressToken"]) : undefined;
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
    due: calls.due,
    expire(now) {
      let isStuck = false;
      calls.expire(now, (id, { method }) => {
        if (method === "initialize") isStuck = true;
        else withdraw(id, { reason: "The server did not answer in time" });
      });
      // `initialize` cannot be cancelled (cancellation, "Behavior Requirements"), and without it the server is of no use.
      if (!isStuck) return;
      end((exchange) => exchange.fail(interrupted));
      options.onClosed();
    },
    close: end,
  };
}

function definedParams<T extends { params: JsonObject | undefined }>(message: T): T {
  const { params, ...rest } = message;
  return (params === undefined ? rest : message) as T;
}
