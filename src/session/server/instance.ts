/**
 * The user's server, alive in this isolate: built by its factory, connected to our transport, and
 * brought to where an earlier isolate's instance stood (rehydrated) by replaying the stored
 * `initialize`, `initialized` and sticky requests, whose answers are swallowed.
 * @module
 */
import type { EventSink, Outcome } from "../../events.ts";
import { shortId } from "../../log-text.ts";
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
import type { Settings } from "../../options.ts";
import type { CallDetail } from "../../sessions.ts";
import type { CallWatch } from "../../watch.ts";
import { createOutbound, type Outbound } from "./correlation.ts";
import type { ConnectableServer } from "./factory.ts";
import { Calls } from "./in-flight.ts";
import type { CallsSide } from "./call.ts";
import { Outgoing, type OutgoingWays, type Sender } from "./outgoing.ts";
import type { Exchange } from "./reply.ts";
import { isAnswerLost, toolThrew, withoutPayload } from "./reports.ts";
import { challengeBy, type Challenger, type ScopeRefusal, type ScopeResolver } from "./scopes.ts";
import { type Unheard, unheard } from "./throws.ts";
import {
  createTransport,
  type MessageExtra,
  type SessionTransport,
  type TransportHooks,
} from "./transport.ts";
import { type ServerEars, UserServer } from "./user-server.ts";

/** Whoever the server belongs to. One for all servers that it has. */
export interface InstanceSide extends CallsSide, OutgoingWays {
  readonly settings: Pick<
    Settings,
    "emit" | "maxEventBytes" | "progressHeartbeatMs" | "initializeTimeoutMs" | "toolErrors"
  >;
  /**
   * The server is where the last one stood: its answer to the stored `initialize`. Not told for a session that
   * is being opened.
   */
  onRehydrated?(result: JsonObject): void;
}

/** How one server is built, and what is replayed into it. */
export interface InstanceStart {
  readonly create: () => ConnectableServer | Promise<ConnectableServer>;
  /** In front of the ids of what the server asks its client. */
  readonly questionPrefix?: string | undefined;
  /** What to replay: nothing for a session that is being opened. */
  readonly replay: {
    readonly initialize: JsonObject | undefined;
    readonly initialized: boolean;
    readonly sticky: readonly { method: string; params: JsonObject }[];
  };
  /** The server has ended by itself, or could not be kept; its calls are answered. */
  readonly onClosed: () => void;
}

/** A request as it is handed to the server, under this id. */
interface Handed {
  readonly request: JsonRpcRequest;
  readonly extra: MessageExtra;
  readonly id: number;
}

/** One server of the user's, from its factory to its end; it is built at once. */
export class Instance implements TransportHooks, Sender, ServerEars {
  /** Resolves once messages can be handed on. Rejects where the factory or the server does, or it is ended first. */
  readonly ready: Promise<void>;
  readonly calls: Calls;
  readonly outbound: Outbound;
  readonly #side: InstanceSide;
  readonly #onClosed: () => void;
  readonly #outgoing: Outgoing;
  readonly #transport: SessionTransport;
  /** While replaying, what the server announces on its own has been announced before. */
  #replaying = true;
  #isOver = false;
  #created: ConnectableServer | undefined;
  #server: UserServer | undefined;
  /** What the server has reported since it was handed the last message. */
  #complaint: unknown;
  /** Without one, as of SDK v1 and of servers of other makes, no request needs anything. */
  #challenge: Challenger | undefined;
  #giveUp: ((error: Error) => void) | undefined;

  constructor(side: InstanceSide, start: InstanceStart) {
    this.#side = side;
    this.#onClosed = start.onClosed;
    this.calls = new Calls(side);
    this.outbound = createOutbound(start.questionPrefix ?? "");
    this.#outgoing = new Outgoing(this, side);
    this.#transport = createTransport(side.sessionId, this);
    this.ready = new Promise<void>((resolve, reject) => {
      this.#giveUp = reject;
      this.#start(start).then(resolve, (error: unknown) => {
        reject(error instanceof Error ? error : new Error(String(error)));
        this.end(() => {});
      });
    });
  }

  /** What the server asks of the caller's token for these requests. To be asked before any of them is handed on. */
  challenge(requests: readonly JsonRpcRequest[], authInfo: unknown): ScopeRefusal {
    return this.#challenge?.(requests, authInfo);
  }

  /**
   * Hands a client's request to the server; its answer goes to `exchange`. `due` is when it will have run for too long.
   * Four of them, by place, as nowhere else: an object would be made for each request that a session takes.
   */
  request(request: JsonRpcRequest, exchange: Exchange, extra: MessageExtra, due: number): void {
    const id = this.calls.begin(request, exchange, due);
    const tool = request.method === "tools/call" ? request.params?.["name"] : undefined;
    const silent = typeof tool === "string" ? unheard(this.#created, tool) : undefined;
    if (silent !== undefined) this.#hear(silent);
    const { watch } = this.#side;
    if (watch === undefined) this.#deliver({ ...request, id }, extra, id);
    else this.#watched(watch, { request, extra, id });
  }

  /** Hands on a notification. A cancellation releases the request that it names. */
  notify(message: JsonRpcMessage, extra: MessageExtra): void {
    if (!isNotification(message)) return;
    const { method, params } = message;
    if (method === "notifications/cancelled") {
      const original = params?.["requestId"] as RequestId;
      return this.calls.cancel(original, (id) => this.#withdraw(id, params ?? {}, extra));
    }
    const token =
      method === "notifications/progress" ? this.outbound.restoreToken(params?.["progressToken"]) : undefined;
    this.#deliver(
      token === undefined ? message : { ...message, params: { ...params, progressToken: token } },
      extra,
    );
  }

  /** Hands on an answer to one of the server's requests; false where nobody waits for it. */
  respond(response: JsonRpcResponse, extra: MessageExtra): boolean {
    const restored = this.outbound.restore(response);
    if (restored !== undefined) this.#deliver(restored, extra);
    return restored !== undefined;
  }

  /** What is in flight, for whoever runs the server. */
  inFlight(): CallDetail[] {
    return this.calls.inFlight();
  }

  /** Cancels what is due by now, and answers it with an error. */
  expire(now: number): void {
    let isStuck = false;
    this.calls.expire(now, (id, { method }) => {
      if (method === "initialize") isStuck = true;
      else this.#withdraw(id, { reason: "The server did not answer in time" });
    });
    // `initialize` cannot be cancelled (cancellation, "Behavior Requirements"), and without it the server is of no use.
    if (!isStuck) return;
    this.end((exchange) => exchange.fail(interrupted));
    this.#onClosed();
  }

  /**
   * Settles each exchange that is under way, by which its calls end as `outcome` says (`interrupted`), then ends the
   * server: aborts its handlers and rejects what it waits for. Never throws.
   */
  end(settle: (exchange: Exchange) => void, outcome: Outcome = "interrupted"): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.calls.end(settle, outcome);
    this.#giveUp?.(new Error("the server closed its transport while it was being started"));
    this.#server?.close();
  }

  get emit(): EventSink {
    return this.#side.settings.emit;
  }

  isOver(): boolean {
    return this.#isOver;
  }

  isReplaying(): boolean {
    return this.#replaying;
  }

  refuse(id: RequestId): void {
    queueMicrotask(() => this.#deliver(clientUnreachable(id), undefined));
  }

  /** A request of our own whose answer nobody waits for. */
  tell(method: string, params: JsonObject): void {
    if (!this.#isOver) this.#deliver({ jsonrpc: "2.0", id: this.calls.fresh(), method, params }, undefined);
  }

  onSend(message: JsonRpcMessage, related: RequestId | undefined): Promise<void> {
    return this.#outgoing.send(message, related);
  }

  onClose(): void {
    if (this.#isOver) return;
    const { emit } = this.#side.settings;
    emit("session.server_closed", { session: this.#session(), calls: this.calls.size() });
    this.end((exchange) => exchange.fail(interrupted));
    this.#onClosed();
  }

  onError(error: unknown): void {
    this.#complaint = error ?? "the server reported an error";
    const { emit } = this.#side.settings;
    emit("server.error", { session: this.#session(), message: withoutPayload(error) });
    if (isAnswerLost(error)) this.calls.miss(error);
  }

  onScopes(resolve: ScopeResolver): void {
    const { emit, initializeTimeoutMs } = this.#side.settings;
    this.#challenge = challengeBy({ resolve, emit, limitMs: initializeTimeoutMs });
  }

  /** As events show it. */
  #session(): string | undefined {
    const { sessionId } = this.#side;
    return sessionId && shortId(sessionId);
  }

  // What follows is apart from its callers for the functions in it: V8 makes room for what they close over at each
  // call of the whole, and most calls need none of them.

  #hear(tool: Unheard): void {
    const { settings } = this.#side;
    tool.hear((name, error) => toolThrew(settings, { session: this.#session(), tool: name }, error));
  }

  #watched(watch: CallWatch, { request, extra, id }: Handed): void {
    const watched = watch.began(request, () => extra.requestInfo?.headers);
    this.calls.watched(id, watched);
    watched.run(() => this.#deliver({ ...request, id }, extra, id));
  }

  #refuseRejected(returned: PromiseLike<unknown>, id: RequestId | undefined): void {
    returned.then(undefined, (error: unknown) => {
      this.onError(error);
      if (id !== undefined) this.calls.refuse(id, error);
    });
  }

  /** Hands a message on; the request of this `id` is answered where the server throws, or rejects, over it. */
  #deliver(message: JsonRpcMessage, extra: MessageExtra | undefined, id?: RequestId): void {
    this.#complaint = undefined;
    const transport = this.#transport;
    try {
      if (transport.onmessage === undefined) this.onError("the server listens to no messages");
      const returned = transport.onmessage?.(message, extra) as unknown;
      if (isThenable(returned)) this.#refuseRejected(returned, id);
    } catch (error) {
      this.onError(error);
    }
    // The SDKs report what they drop, and forget it.
    if (this.#complaint !== undefined && id !== undefined) this.calls.refuse(id, this.#complaint);
  }

  #withdraw(requestId: number, params: JsonObject, extra?: MessageExtra): void {
    const method = "notifications/cancelled";
    this.#deliver({ jsonrpc: "2.0", method, params: { ...params, requestId } }, extra);
  }

  #replay(method: string, params: JsonObject): Promise<JsonRpcResponse> {
    return new Promise((resolve) => {
      const id = this.calls.replay(resolve);
      this.#deliver({ jsonrpc: "2.0", id, method, params }, undefined, id);
    });
  }

  async #start({ create, replay }: InstanceStart): Promise<void> {
    let greeting: JsonObject | undefined;
    this.#created = await create();
    this.#server = new UserServer(this.#created, this.#transport, this);
    await this.#server.connect();
    if (this.#isOver) {
      // Given up while it was being built or connected: it must not live on unseen.
      this.#server.close();
      return;
    }
    const { initialize, initialized, sticky } = replay;
    if (initialize !== undefined) {
      const { error, result } = await this.#replay("initialize", initialize);
      if (error !== undefined) throw new Error(`the server refused the stored initialize: ${error.message}`);
      greeting = result ?? {};
      if (initialized) this.#deliver({ jsonrpc: "2.0", method: "notifications/initialized" }, undefined);
      for (const { method, params } of sticky) await this.#replay(method, params);
    }
    this.#replaying = false;
    this.#giveUp = undefined;
    if (greeting !== undefined) this.#side.onRehydrated?.(greeting);
  }
}
