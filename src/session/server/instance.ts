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
  type JsonObject,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from "../../jsonrpc/messages.ts";
import type { CallDetail } from "../../sessions.ts";
import { type CallsOptions, createCalls } from "./in-flight.ts";
import { createOutbound } from "./correlation.ts";
import { createOutgoing, type OutgoingWays } from "./outgoing.ts";
import type { Exchange } from "./reply.ts";
import { challengeBy, type Challenger, type ScopeRefusal } from "./scopes.ts";
import type { ConnectableServer } from "./factory.ts";
import { isAnswerLost, toolThrew, withoutPayload } from "./reports.ts";
import { hearThrows, type OnThrown } from "./throws.ts";
import { createTransport, type MessageExtra } from "./transport.ts";
import type { Settings } from "../../options.ts";
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

/** How the server is built, what is replayed into it, and where its messages go. */
export interface InstanceOptions extends CallsOptions, OutgoingWays {
  readonly emit: EventSink;
  /** See `options.ts`. */
  readonly toolErrors: Settings["toolErrors"];
  /** How long the server's own hooks may take of a request, in milliseconds. */
  readonly hookTimeoutMs: number;
  /** In front of the ids of what the server asks its client. */
  readonly questionPrefix?: string | undefined;
  readonly create: () => ConnectableServer | Promise<ConnectableServer>;
  /** What to replay: nothing for a session that is being opened. */
  readonly replay: {
    readonly initialize: JsonObject | undefined;
    readonly initialized: boolean;
    readonly sticky: readonly { method: string; params: JsonObject }[];
  };
  /**
   * The server is where the last one stood: its answer to the stored `initialize`. Not told for a session that
   * is being opened.
   */
  readonly onRehydrated?: ((result: JsonObject) => void) | undefined;
  /** The server has ended by itself, or could not be kept; its calls are answered. */
  readonly onClosed: () => void;
}

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

  const threw: OnThrown = (tool, error) => toolThrew(options, { session, tool }, error);

  const complain = (error: unknown): void => {
    complaint = error ?? "the server reported an error";
    emit("server.error", { session, message: withoutPayload(error) });
    if (isAnswerLost(error)) calls.miss(error);
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
  let challenge: Challenger | undefined;

  const send = createOutgoing({
    ...options,
    calls,
    outbound,
    isOver: () => isOver,
    isReplaying: () => replaying,
    refuse: (id) => queueMicrotask(() => deliver(clientUnreachable(id), undefined)),
    // Undone where what it granted has not happened.
    tell: (method, params) => tell(method, params),
  });

  const transport = createTransport(options.sessionId, {
    scopes: (resolver) =>
      void (challenge = challengeBy({ resolve: resolver, emit, limitMs: options.hookTimeoutMs })),
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
    server = userServer(created, transport, { emit, onError: complain });
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
    challenge: (requests, authInfo) => challenge?.(requests, authInfo),
    // Four of them, by place, as nowhere else: an object would be made for each request that a session takes.
    request(request, exchange, extra, due) {
      const id = calls.begin(request, exchange, due);
      const tool = request.method === "tools/call" ? request.params?.["name"] : undefined;
      if (typeof tool === "string") hearThrows(created, tool, threw);
      if (watch === undefined) return deliver({ ...request, id }, extra, id);
      const watched = watch.began(request, () => extra.requestInfo?.headers);
      calls.watched(id, watched);
      watched.run(() => deliver({ ...request, id }, extra, id));
    },
    notify(message, extra) {
      if (!isNotification(message)) return;
      const { method, params } = message;
      if (method === "notifications/cancelled") {
        return calls.cancel(params?.["requestId"] as RequestId, (id) => withdraw(id, params ?? {}, extra));
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
