/**
 * Hands a POST's messages to the user's server, which is woken for it where need be.
 * @module
 */
import type { Notifier } from "../../changes.ts";
import { shortId } from "../../events.ts";
import type { Call, Caller, Refusal, TransportKind } from "../../host.ts";
import * as failures from "../../jsonrpc/failures.ts";
import {
  isNotification,
  isRequest,
  type JsonObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from "../../jsonrpc/messages.ts";
import { questionPrefix } from "../../jsonrpc/questions.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import { controlFrame, keepaliveOf } from "../../sse/control.ts";
import type { Confirm } from "../server/in-flight.ts";
import { createExchange } from "./exchange.ts";
import type { Exchange, Reply } from "../server/reply.ts";
import { callLimit, createExchanges } from "./exchanges.ts";
import { inTime } from "../server/in-time.ts";
import { type Instance, startInstance } from "../server/instance.ts";
import { listsChanged, markOf, promisesSubscriptions, subscribedInstead } from "../server/greeting.ts";
import { createInterrupted } from "./interrupted.ts";
import { createJournal } from "../server/journal.ts";
import type { OpenOutlet } from "../streams/outlet.ts";
import { PART, type SessionRow } from "../store/schema.ts";
import type { ScopeRefusal } from "../server/scopes.ts";
import { createState } from "../server/state.ts";
import { openingOf, type Streams } from "../streams/streams.ts";
import { createExtra } from "../server/extra.ts";
import type { MessageExtra } from "../server/transport.ts";
import { createWaker, startFailed } from "../server/waker.ts";
import type { Settings } from "../../options.ts";
import type { UserChannel } from "../../user/state.ts";
import type { CreateServer } from "../server/factory.ts";
import type { SessionStore } from "../store/store.ts";
import type { Delay } from "./delays.ts";
import { userOf } from "../../user/user.ts";

export interface Dispatch {
  /** Number of requests in flight. */
  inFlight(): number;
  /** When the first request in flight will have run for too long. */
  due(): number | undefined;
  /** Ends the requests that have. */
  expire(): void;
  /** True while a server is being built: requests wait for it. */
  isStarting(): boolean;
  /** Hands an `initialize` to a new server; the session exists once the server has accepted it. */
  open(call: Call): Promise<Reply | Refusal>;
  run(call: Call, open: OpenOutlet): Promise<Reply | Refusal>;
  /** Starts the server of a session that is taken up again; rejects where it refuses. */
  revive(row: SessionRow): Promise<unknown>;
  /** Once in an isolate: answers what an earlier one left unanswered, but for what may run again. */
  settleInterrupted(): void;
  /** Runs the interrupted calls again whose answers this stream carries, for a caller who waits for them. */
  rerun(stream: number, caller: Caller): void;
  /** What a caller's token lacks for those calls, who may wait for them no further; undefined where nothing waits. */
  challengeRerun(stream: number, caller: Caller): ScopeRefusal;
  /** Answers those calls instead: the one who waits is connected already, and has shown no credentials since. */
  giveUp(stream: number): void;
  /** Ends the server; what is in flight is answered with an error. */
  close(): void;
  /** Ends the server as an isolate's end would, but in order; the next request starts another. */
  suspend(): void;
}

/** The session's row, as calls read and change it. */
export interface CalledSession {
  /** Undefined before the session is opened and after it has ended. */
  live(): SessionRow | undefined;
  /** Stores the session, with what `also` stores; where that fails there is none, here as there. */
  open(kind: TransportKind, fields: Partial<SessionRow>, also?: () => void): SessionRow;
  /** Any of its fields that changes says that the session is in use. */
  update(fields: Partial<SessionRow>): void;
  /** The answer for a session that is gone. */
  gone(principal: string | undefined, offerSuccessor: boolean): Promise<Refusal>;
}

export interface DispatchOptions<Env> {
  /** The session's id. */
  readonly id: string;
  readonly store: SessionStore;
  readonly settings: Settings;
  readonly createServer: CreateServer<Env>;
  readonly env: Env;
  /** The way to the state of the user of this name. */
  readonly userChannel: (name: string) => UserChannel;
  /** Waits `quickAnswerMs`. */
  readonly quick: Delay;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly lifecycle: CalledSession;
  readonly streams: (row: SessionRow) => Streams;
  /** The topic of the session's requests. */
  readonly topic: () => string | undefined;
  /** Whether the session is found by its client's key. */
  readonly isKeyed: () => boolean;
  /** Makes sure that the alarm rings by then. */
  readonly by: (at: number) => void;
  /** See {@link InstanceOptions.confirm}. */
  readonly confirm: Confirm | undefined;
  /** Where the server publishes changes. */
  readonly notify: Notifier | undefined;
}

export function createDispatch<Env>(options: DispatchOptions<Env>): Dispatch {
  const { id, store, settings, lifecycle, now, env, quick } = options;
  const isOpening = (): boolean => opening !== undefined && lifecycle.live() === undefined;
  const state = createState(store, settings.maxStateBytes, isOpening);
  const journal = createJournal(store, settings);
  /** The call whose `initialize` is under way. */
  let opening: Call | undefined;
  /** Whether the server has accepted it. */
  let opened = false;
  /** Whether a server has run for this session in this isolate. */
  let served = false;
  /** Whether the server promises to keep subscriptions. */
  let keepsSubscriptions = false;
  /** What the server sends meanwhile, before there is a stream to hold it. */
  let early: string[] = [];

  const streams = (): Streams | undefined => {
    const row = lifecycle.live();
    return row && options.streams(row);
  };

  const sendStandalone = (json: string, answers: string | null = null): Promise<void> => {
    const held = opening === undefined ? streams() : undefined;
    if (held !== undefined) {
      options.by(now() + settings.messageTtlMs);
      return held.standalone.emit(json, answers);
    }
    early.push(json);
    return Promise.resolve();
  };

  const onAnswered = (request: JsonRpcRequest, response: JsonRpcResponse): void => {
    if (response.error !== undefined) return;
    if (request.method !== "initialize") return journal.record(request);
    const fields = {
      version: String(response.result?.["protocolVersion"]),
      initialize: JSON.stringify(request.params ?? {}),
      initialized: 0,
      greeting: markOf(response.result ?? {}),
    };
    keepsSubscriptions = promisesSubscriptions(response.result ?? {});
    if (fields.initialize.length > PART)
      throw new RangeError("The initialize request is too large to be kept");
    if (lifecycle.live() === undefined) {
      const principal = opening?.caller.principal ?? null;
      lifecycle.open("streamable", { ...fields, status: "provisional", principal }, state.keep);
    } else {
      const { initialized, ...introduced } = fields;
      // A session that is found by its key goes on as its client introduces itself anew.
      lifecycle.update(opening === undefined ? introduced : { ...introduced, initialized });
    }
    // Not before it is stored: no client gets the id of a session that does not exist.
    opened = true;
  };

  /** A deploy may have changed the server under the session: its client is told once, and lists anew. */
  const onRehydrated = (result: JsonObject): void => {
    keepsSubscriptions = promisesSubscriptions(result);
    const row = lifecycle.live();
    const greeting = markOf(result);
    if (row === undefined || row.greeting === greeting) return;
    lifecycle.update({ greeting });
    // Of a session whose server has said nothing yet there is nothing to compare with.
    if (row.greeting === null || row.initialized === 0) return;
    settings.emit("session.server_changed", { session: shortId(id) });
    for (const changed of listsChanged(result)) void sendStandalone(toWire(changed));
  };

  /** A session can be there before any server: one of HTTP+SSE begins with its stream. */
  const isRehydrated = (row: SessionRow): boolean =>
    row.initialize !== null || served || store.entries("state").length > 0;

  /** Starts the server: a fresh one for `initialize`, else one for the session as it is stored. */
  const start = (
    row: SessionRow | undefined,
    onClosed: () => void,
  ): { instance: Instance; rehydrated: boolean } => {
    const rehydrated = row !== undefined && isRehydrated(row);
    served = true;
    const principal = (row === undefined ? opening?.caller.principal : row.principal) ?? undefined;
    const session = { id, principal, state, rehydrated };
    const { notify } = options;
    const user = userOf({
      principal,
      topic: options.topic(),
      channel: options.userChannel,
      maxUserStateBytes: settings.maxUserStateBytes,
    });
    const context = {
      era: "session",
      session,
      env,
      ...(notify && { notify }),
      ...(user && { user }),
    } as const;
    const instance = startInstance({
      sessionId: id,
      questionPrefix: options.isKeyed() ? questionPrefix(id) : undefined,
      emit: settings.emit,
      create: () => options.createServer(context),
      maxEventBytes: settings.maxEventBytes,
      progressHeartbeatMs: settings.progressHeartbeatMs,
      replay: {
        initialize: row?.initialize ? (JSON.parse(row.initialize) as JsonObject) : undefined,
        initialized: row?.initialized === 1,
        sticky: rehydrated ? journal.requests() : [],
      },
      sendUnrelated: (json) => sendStandalone(json),
      hasListener: () => streams()?.standalone.outlet() !== undefined,
      transaction: (body) => store.transaction(body),
      confirm: options.confirm,
      // Without a hub nothing would ever be heard of them.
      instead: (request, response) =>
        keepsSubscriptions && options.confirm !== undefined
          ? subscribedInstead(request, response)
          : undefined,
      onRehydrated,
      onAnswered,
      onClosed,
    });
    return { instance, rehydrated };
  };

  const waker = createWaker({ sessionId: id, settings, start });

  const close = (settle: (exchange: Exchange) => void): void => {
    waker.close(settle);
    early = [];
  };

  const abandon = (): void => close((exchange) => exchange.fail(failures.sessionEnded));

  /** Tells the edge that sent the `ping` with this id, and no other. That one knows whether it waits for it. */
  const pong = (row: SessionRow, value: string): void => {
    const connectionId = keepaliveOf(value);
    for (const stream of options.streams(row).attached()) {
      // A link that was dialled again is named after its connection.
      const [name] = stream.outlet()?.connectionId.split(".") ?? [];
      if (name === connectionId) stream.tell(controlFrame({ type: "pong", value }));
    }
  };

  const exchangeFor = createExchanges({
    settings,
    quick,
    now,
    by: options.by,
    streamsOf: options.streams,
    streams,
    sendStandalone,
    asideStandalone: (json) => streams()?.standalone.aside(json),
  });

  const extraOf = (caller: Caller, row: SessionRow, exchange: Exchange | undefined): MessageExtra =>
    createExtra(caller, row, exchange, () => streams()?.standalone.end("closed"));

  const interrupted = createInterrupted({
    sessionId: id,
    emit: settings.emit,
    store,
    maxCallMs: settings.maxCallMs,
    now,
    isLive: () => lifecycle.live() !== undefined,
    streams,
    async run(requests, caller, unfinished, stream) {
      const row = lifecycle.live();
      if (row === undefined) return;
      const server = await waker.wake(row);
      const isRelay = unfinished.kind === "relay";
      if (settings.maxCallMs > 0) options.by(unfinished.created + settings.maxCallMs);
      const exchange = exchangeFor(
        row,
        requests,
        isRelay
          ? { mode: "relay", batch: false, owed: unfinished.stream }
          : { mode: "call", batch: false, stream },
      );
      for (const request of requests) {
        const due = unfinished.created + callLimit(settings, request);
        server.request(request, exchange, extraOf(caller, row, exchange), due);
      }
    },
  });

  const dispatch: Dispatch = {
    inFlight: () => waker.instance()?.size() ?? 0,
    due: () => waker.instance()?.due(),
    expire: () => waker.instance()?.expire(now()),
    isStarting: waker.isStarting,
    revive: waker.wake,
    settleInterrupted: interrupted.settle,
    rerun: interrupted.rerun,
    giveUp: interrupted.giveUp,
    challengeRerun(stream, { authInfo }) {
      const requests = interrupted.waiting(stream);
      const row = lifecycle.live();
      if (requests.length === 0 || row === undefined) return undefined;
      // A server that does not start is met again, and told, where the calls are to run.
      return waker.wake(row).then(
        (server) => server.challenge(requests, authInfo),
        () => undefined,
      );
    },
    close: abandon,
    suspend: () => close((exchange) => exchange.suspend()),

    async open(call) {
      abandon();
      opening = call;
      opened = false;
      const begun = now();
      try {
        const server = await waker.wake(undefined);
        const [request] = call.payload.messages as [JsonRpcRequest];
        const lacking = await server.challenge([request], call.caller.authInfo);
        if (lacking !== undefined) return { kind: "refused", failure: lacking };
        const exchange = createExchange({
          ids: [request.id],
          batch: false,
          mode: "json",
          quick,
          rerun: true,
          resumes: false,
          sendStandalone,
          asideStandalone: () => {},
          onLasting: () => {},
          openStream: () => {
            throw new Error("initialize is answered as JSON");
          },
          owe: () => {},
          onSettled: () => {},
        });
        server.request(request, exchange, createExtra(call.caller), Infinity);
        const limit = settings.initializeTimeoutMs;
        const left = Math.min(limit, Math.max(0, begun + limit - now()));
        const reply = await inTime(exchange.reply, left, () => {
          const late = new Error(`the server did not answer initialize within ${limit} ms`);
          startFailed(settings, id, late);
          return late;
        });
        return { ...reply, opened };
      } catch {
        return { kind: "refused", failure: failures.notReady };
      } finally {
        opening = undefined;
        const kept = early;
        // What was built for a client that was turned away goes with it.
        if (!opened || lifecycle.live() === undefined) abandon();
        else {
          interrupted.none();
          for (const json of kept.splice(0)) void sendStandalone(json);
        }
      }
    },

    async run(call, open) {
      let server = waker.instance();
      if (server === undefined) {
        try {
          const woken = lifecycle.live();
          interrupted.settle();
          server = await waker.wake(woken);
        } catch {
          if (lifecycle.live() === undefined) return lifecycle.gone(call.caller.principal, true);
          return { kind: "refused", failure: failures.notReady };
        }
      }
      const { messages, batch } = call.payload;
      const requests = messages.filter(isRequest);
      let lacking = server.challenge(requests, call.caller.authInfo);
      if (lacking instanceof Promise) {
        lacking = await lacking;
        // Another server may have taken its place meanwhile: that one is asked too.
        if (waker.instance() !== server) return dispatch.run(call, open);
      }
      if (lacking !== undefined) return { kind: "refused", failure: lacking };
      const row = lifecycle.live();
      if (row === undefined) return lifecycle.gone(call.caller.principal, true);
      if (server.size() + requests.length > settings.maxInFlight) {
        return { kind: "refused", failure: failures.tooManyRequests(settings.maxInFlight) };
      }
      const attach = (stream: number): void =>
        options
          .streams(row)
          .find(stream)
          ?.attach(open(stream), { after: 0, opening: openingOf(row), retryMs: settings.retryMs });
      const mode = row.kind === "http+sse" ? "relay" : call.accept === "json" ? "json" : "call";
      const exchange =
        requests.length === 0 ? undefined : exchangeFor(row, requests, { mode, batch, outlet: attach });
      const extra = extraOf(call.caller, row, exchange);
      const began = now();
      for (const message of messages) {
        if (isRequest(message)) {
          const full = journal.refuse(message, server.requests);
          if (exchange !== undefined && full !== undefined) void exchange.answer(message.id, toWire(full));
          else if (exchange !== undefined) {
            server.request(message, exchange, extra, began + callLimit(settings, message));
          }
        } else if (isNotification(message)) {
          const isFirst = message.method === "notifications/initialized" && row.initialized === 0;
          if (isFirst) lifecycle.update({ initialized: 1 });
          server.notify(message, extra);
        } else if (keepaliveOf(message.id) !== undefined) {
          pong(row, String(message.id));
        } else if (!server.respond(message, extra)) {
          settings.emit("orphan.response", { session: shortId(id) });
        }
      }
      return exchange === undefined ? { kind: "accepted" } : exchange.reply;
    },
  };
  return dispatch;
}
