/**
 * Hands a POST's messages to the user's server, which is woken for it where need be.
 * @module
 */
import { type Outcome, shortId } from "../../events.ts";
import { expiryOf } from "../../expiry.ts";
import type { Call, Caller, Refusal } from "../../host.ts";
import * as failures from "../../jsonrpc/failures.ts";
import { isNotification, isRequest, type JsonRpcRequest } from "../../jsonrpc/messages.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import { markOfText } from "../../names.ts";
import { type Held, inRoom } from "../../room.ts";
import { isPermanent } from "../../setup.ts";
import { controlFrame, keepaliveOf } from "../../sse/control.ts";
import { createJsonExchange } from "./exchange.ts";
import type { Exchange, Reply } from "../server/reply.ts";
import type { CallDetail } from "../../sessions.ts";
import { callLimit, createExchanges } from "./exchanges.ts";
import { inTime } from "../../within.ts";
import { createInterrupted } from "./interrupted.ts";
import { createJournal } from "../server/journal.ts";
import type { OpenOutlet } from "../streams/outlet.ts";
import type { SessionRow } from "../store/schema.ts";
import type { ScopeRefusal } from "../server/scopes.ts";
import { createPhase } from "./phase.ts";
import { createStarter, type SessionSide } from "./starter.ts";
import { createState } from "../server/state.ts";
import { openingOf, type Streams } from "../streams/streams.ts";
import { watchCalls } from "../../watch.ts";
import { sessionOrigin } from "./origin.ts";
import { createExtra, polls } from "../server/extra.ts";
import type { MessageExtra } from "../server/transport.ts";
import { createWaker, startFailed } from "../server/waker.ts";
import type { Delay } from "./delays.ts";

/** The session's calls, from a POST's messages to their answers. */
export interface Dispatch {
  /** Number of requests in flight. */
  inFlight(): number;
  /** What they are. */
  calls(): CallDetail[];
  /** When the first request in flight will have run for too long. */
  due(): number | undefined;
  /** Ends the requests that have. */
  expire(): void;
  /** True while a server is being built: requests wait for it. */
  isStarting(): boolean;
  /** Hands an `initialize` to a new server; the session exists once the server has accepted it. */
  open(call: Call): Promise<Reply | Refusal>;
  run(call: Call, open: OpenOutlet): Promise<Reply | Refusal>;
  /** Tells that requests were turned away; undefined where nobody listens. */
  readonly turnedAway: ((call: Call) => void) | undefined;
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

/** What dispatch asks of the rest of the session. */
export interface DispatchOptions<Env> extends SessionSide<Env> {
  /** Waits `quickAnswerMs`. */
  readonly quick: Delay;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly streams: (row: SessionRow) => Streams;
  /** Makes sure that the alarm rings by then. */
  readonly by: (at: number) => void;
}

/** One for each session and isolate; its server is started by the first message that needs it. */
export function createDispatch<Env>(options: DispatchOptions<Env>): Dispatch {
  const { id, store, settings, lifecycle, now, quick } = options;
  const phase = createPhase();
  const isOpening = (): boolean => phase.opening() !== undefined && lifecycle.live() === undefined;
  const state = createState(store, settings.maxStateBytes, isOpening);
  const journal = createJournal(store, settings);

  const streams = (): Streams | undefined => {
    const row = lifecycle.live();
    return row && options.streams(row);
  };

  const sendStandalone = (json: string, answers: string | null = null): Promise<void> => {
    const held = phase.opening() === undefined ? streams() : undefined;
    if (held !== undefined) {
      options.by(now() + settings.messageTtlMs);
      return held.standalone.emit(json, answers);
    }
    phase.hold(json);
    return Promise.resolve();
  };

  const watch = watchCalls(
    settings,
    sessionOrigin(id, lifecycle.live, () => phase.opening()?.caller.principal),
  );

  const start = createStarter({
    ...options,
    watch,
    phase,
    state,
    journal,
    sendStandalone,
    hasListener: () => streams()?.standalone.outlet() !== undefined,
  });

  const waker = createWaker({ sessionId: id, settings, start });

  const close = (settle: (exchange: Exchange) => void, outcome?: Outcome): void => {
    waker.close(settle, outcome);
    phase.drop();
  };

  const abandon = (): void =>
    close((exchange) => exchange.fail(failures.sessionEnded), failures.SESSION_ENDED);

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

  const endStandalone = (): void => streams()?.standalone.end("closed");
  const extraOf = (caller: Caller, row: SessionRow, exchange: Exchange | undefined): MessageExtra =>
    polls(row) ? createExtra(caller, exchange, endStandalone) : createExtra(caller);

  /**
   * What becomes of a POST that is turned away for load, or for a server that does not start. In HTTP+SSE an error status ends Python's and Go's clients, so its
   * requests are answered where they are listened for; that is stored, as any answer is.
   */
  const turnAway = (
    failure: failures.Failure,
    row: SessionRow,
    requests: readonly JsonRpcRequest[],
  ): Reply | Refusal => {
    if (row.kind !== "http+sse" || requests.length === 0) return { kind: "refused", failure };
    for (const { id: requestId } of requests) void sendStandalone(failures.notNowBody(failure, requestId));
    return { kind: "accepted", refused: failure.status };
  };

  const interrupted = createInterrupted({
    sessionId: id,
    emit: settings.emit,
    watch,
    store,
    maxCallMs: settings.maxCallMs,
    now,
    isLive: () => lifecycle.live() !== undefined,
    streams,
    async run({ requests, caller, unfinished, stream }) {
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

  const opensNoMore = (): void => {
    const said = phase.end();
    // What was built for a client that was turned away goes with it.
    if (!phase.isAccepted() || lifecycle.live() === undefined) abandon();
    else {
      interrupted.none();
      for (const json of said) void sendStandalone(json);
    }
  };

  /**
   * Hands a POST's messages to the server.
   * @param held the room that a large one takes: its exchange's from then on
   */
  const hand = async (call: Call, open: OpenOutlet, held?: Held): Promise<Reply | Refusal> => {
    const { messages, batch } = call.payload;
    const requests = messages.filter(isRequest);
    let server = waker.instance();
    if (server === undefined) {
      try {
        const woken = lifecycle.live();
        interrupted.settle();
        server = await waker.wake(woken);
      } catch (error) {
        const live = lifecycle.live();
        if (live === undefined) return lifecycle.gone(call.caller.principal, true);
        return turnAway(notStarted(error).failure, live, requests);
      }
    }
    let lacking = server.challenge(requests, call.caller.authInfo);
    if (lacking instanceof Promise) {
      lacking = await lacking;
      // Another server may have taken its place meanwhile: that one is asked too.
      if (waker.instance() !== server) return hand(call, open, held);
    }
    if (lacking !== undefined) return { kind: "refused", failure: lacking };
    const row = lifecycle.live();
    if (row === undefined) return lifecycle.gone(call.caller.principal, true);
    if (server.size() + requests.length > settings.maxInFlight) {
      return turnAway(failures.tooManyRequests(settings.maxInFlight), row, requests);
    }
    const attach = (stream: number): void => {
      const retryMs = call.noRetry ? undefined : settings.retryMs;
      const expiresAt = expiryOf(call.caller.authInfo);
      const joining = { after: 0, opening: openingOf(row), retryMs, expiresAt };
      options.streams(row).find(stream)?.attach(open(stream), joining);
    };
    const mode = row.kind === "http+sse" ? "relay" : call.accept === "json" ? "json" : "call";
    const over = held?.leave;
    const exchange =
      requests.length === 0 ? undefined : exchangeFor(row, requests, { mode, batch, outlet: attach, over });
    if (held !== undefined) held.isHandedOn = true;
    const extra = extraOf(call.caller, row, exchange);
    const began = now();
    for (const message of messages) {
      if (isRequest(message)) {
        const full = journal.refuse(message, server.requests);
        if (exchange !== undefined && full !== undefined) {
          void exchange.answer(message.id, toWire(full));
          watch?.over(message, "refused");
        } else if (exchange !== undefined) {
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
  };

  const dispatch: Dispatch = {
    inFlight: () => waker.instance()?.size() ?? 0,
    calls: () => waker.instance()?.inFlight() ?? [],
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
    turnedAway:
      watch &&
      (({ payload, caller: { principal } }) => {
        const isOwn = lifecycle.live()?.principal === (principal ?? null);
        // Of somebody else's session nothing is told under a stranger's name.
        const stranger = { principal: principal && markOfText(principal), client: undefined };
        const known = isOwn ? {} : { ...stranger, clientVersion: undefined };
        for (const request of payload.messages.filter(isRequest)) watch.over(request, "refused", known);
      }),
    close: abandon,
    suspend: () => close((exchange) => exchange.suspend()),

    async open(call) {
      abandon();
      phase.begin(call);
      const begun = now();
      try {
        const server = await waker.wake(undefined);
        const [request] = call.payload.messages as [JsonRpcRequest];
        const lacking = await server.challenge([request], call.caller.authInfo);
        if (lacking !== undefined) return { kind: "refused", failure: lacking };
        const exchange = createJsonExchange({
          ids: [request.id],
          batch: false,
          quick,
          rerun: true,
          maxHeld: settings.maxEventBytes,
          sendStandalone,
          asideStandalone() {},
        });
        server.request(request, exchange, createExtra(call.caller), Infinity);
        const limit = settings.initializeTimeoutMs;
        const left = Math.min(limit, Math.max(0, begun + limit - now()));
        const reply = await inTime(exchange.reply, left, () => {
          const late = new Error(`the server did not answer initialize within ${limit} ms`);
          startFailed(settings, id, late);
          return late;
        });
        return { ...reply, opened: phase.isAccepted() };
      } catch (error) {
        return notStarted(error);
      } finally {
        // By a key another may have come meanwhile, which has ended this one: all that is here is the other's.
        if (phase.opening() === call) opensNoMore();
      }
    },

    run(call, open) {
      const { weight = 0, messages } = call.payload;
      const row = weight === 0 ? undefined : lifecycle.live();
      if (row === undefined) return hand(call, open);
      const requests = messages.filter(isRequest);
      if (requests.length === 0) return hand(call, open);
      const full = (): Reply | Refusal => turnAway(failures.tooManyBodies, row, requests);
      return inRoom(settings, weight, { full, body: (held) => hand(call, open, held) });
    },
  };
  return dispatch;
}

/** The server did not start: whether it is worth another try. */
function notStarted(error: unknown): Refusal {
  return { kind: "refused", failure: isPermanent(error) ? failures.broken : failures.notReady };
}
