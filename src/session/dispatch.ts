/**
 * Hands a POST's messages to the user's server, which is woken for it where need be.
 * @module
 */
import type { Notifier } from "../changes.ts";
import { shortId } from "../events.ts";
import type { Call, Caller, Refusal } from "../host.ts";
import * as failures from "../jsonrpc/failures.ts";
import {
  isNotification,
  isRequest,
  type JsonObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from "../jsonrpc/messages.ts";
import { controlFrame, isKeepaliveId } from "../sse/control.ts";
import { createExchange, type Exchange, type ExchangeOptions, type Reply } from "./exchange.ts";
import { type Instance, startInstance } from "./instance.ts";
import { createInterrupted } from "./interrupted.ts";
import { isJournalFull, recordSticky, stickyRequests } from "./journal.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { OpenOutlet, SessionOptions } from "./ports.ts";
import type { SessionRow } from "./schema.ts";
import type { ScopeRefusal } from "./scopes.ts";
import { createState } from "./state.ts";
import { openingOf, type Streams } from "./streams.ts";
import { createExtra } from "./extra.ts";
import type { MessageExtra } from "./transport.ts";
import { createWaker } from "./waker.ts";

export interface Dispatch {
  /** Number of requests in flight. */
  inFlight(): number;
  /** True while a server is being built: requests wait for it. */
  isStarting(): boolean;
  /** Hands an `initialize` to a new server; the session exists once the server has accepted it. */
  open(call: Call): Promise<Reply | Refusal>;
  run(call: Call, open: OpenOutlet): Promise<Reply | Refusal>;
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

export interface DispatchOptions<Env> extends SessionOptions<Env> {
  readonly lifecycle: Lifecycle;
  readonly streams: (row: SessionRow) => Streams;
  /** Makes sure that the alarm rings by then. */
  readonly by: (at: number) => void;
  /** Where the server publishes changes. */
  readonly notify: Notifier | undefined;
}

export function createDispatch<Env>(options: DispatchOptions<Env>): Dispatch {
  const { id, store, settings, lifecycle, now, env, quick } = options;
  const isOpening = (): boolean => opening !== undefined && lifecycle.live() === undefined;
  const state = createState(store, settings.maxStateBytes, isOpening);
  /** The call whose `initialize` is under way. */
  let opening: Call | undefined;
  let opened = false;
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
    if (request.method !== "initialize") return recordSticky(store, request);
    opened = true;
    const fields = {
      version: String(response.result?.["protocolVersion"]),
      initialize: JSON.stringify(request.params ?? {}),
      initialized: 0,
    };
    if (lifecycle.live() !== undefined) return lifecycle.update(fields);
    store.transaction(() => {
      lifecycle.open("streamable", { ...fields, principal: opening?.caller.principal ?? null });
      state.keep();
    });
  };

  /** Starts the server: a fresh one for `initialize`, else one in the place of an earlier isolate's. */
  const start = async (row: SessionRow | undefined): Promise<Instance> => {
    const rehydrated = row !== undefined;
    const principal = (row === undefined ? opening?.caller.principal : row.principal) ?? undefined;
    const session = { id, principal, state, rehydrated };
    const { notify } = options;
    const context = { era: "session", session, env, ...(notify && { notify }) } as const;
    return startInstance({
      sessionId: id,
      create: () => options.createServer(context),
      maxEventBytes: settings.maxEventBytes,
      emit: settings.emit,
      replay: {
        initialize: row?.initialize ? (JSON.parse(row.initialize) as JsonObject) : undefined,
        initialized: row?.initialized === 1,
        sticky: rehydrated ? stickyRequests(store) : [],
      },
      sendUnrelated: (json) => sendStandalone(json),
      hasListener: () => streams()?.standalone.outlet() !== undefined,
      transaction: (body) => store.transaction(body),
      onAnswered,
    });
  };

  const waker = createWaker(id, settings, start);

  const close = (settle: (exchange: Exchange) => void): void => {
    waker.close(settle);
    early = [];
  };

  const abandon = (): void => close((exchange) => exchange.abandon());

  /** The exchange of a POST, or of an interrupted call that runs again. */
  const exchangeFor = (
    row: SessionRow,
    requests: readonly JsonRpcRequest[],
    more: Pick<ExchangeOptions, "mode" | "batch" | "stream"> & {
      owed?: number;
      outlet?: (stream: number) => void;
    },
  ): Exchange => {
    const ids = requests.map((request) => request.id);
    const rerun = requests.every(settings.rerun);
    const kept = (): string | null => (rerun ? JSON.stringify(requests) : null);
    let { owed } = more;
    return createExchange({
      ...more,
      ids,
      quick,
      rerun,
      resumes: openingOf(row) === "prime",
      sendStandalone,
      openStream() {
        const stream = options.streams(row).open(ids, kept());
        more.outlet?.(stream.id);
        options.by(now() + Math.min(settings.messageTtlMs, settings.maxStreamMs));
        return stream;
      },
      owe() {
        // A call that runs again is on record already.
        owed ??= options.streams(row).owe(ids, kept());
      },
      onSettled({ id: settled, cancelled, last, stream }) {
        if (owed === undefined && stream === undefined) return;
        const held = streams();
        if (held === undefined) return;
        if (owed !== undefined && last) held.settle(owed);
        else if (owed !== undefined) held.release(owed, settled);
        else if (stream !== undefined && (cancelled || !last)) held.release(stream.id, settled);
      },
    });
  };

  const extraOf = (caller: Caller, row: SessionRow, exchange: Exchange | undefined): MessageExtra =>
    createExtra(caller, row, exchange, () => streams()?.standalone.end("closed"));

  const interrupted = createInterrupted({
    sessionId: id,
    emit: settings.emit,
    store,
    isLive: () => lifecycle.live() !== undefined,
    streams,
    async run(requests, caller, unfinished, stream) {
      const row = lifecycle.live();
      if (row === undefined) return;
      const server = await waker.wake(row);
      const isRelay = unfinished.kind === "relay";
      const exchange = exchangeFor(
        row,
        requests,
        isRelay
          ? { mode: "relay", batch: false, owed: unfinished.stream }
          : { mode: "call", batch: false, stream },
      );
      for (const request of requests) server.request(request, exchange, extraOf(caller, row, exchange));
    },
  });

  const dispatch: Dispatch = {
    inFlight: () => waker.instance()?.size() ?? 0,
    isStarting: waker.isStarting,
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
          openStream: () => {
            throw new Error("initialize is answered as JSON");
          },
          owe: () => {},
          onSettled: () => {},
        });
        server.request(request, exchange, createExtra(call.caller));
        return { ...(await exchange.reply), opened };
      } catch {
        return { kind: "refused", failure: failures.notReady };
      } finally {
        opening = undefined;
        const kept = early;
        if (lifecycle.live() === undefined) abandon();
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
      for (const message of messages) {
        if (isRequest(message)) {
          if (exchange !== undefined && isJournalFull(store, message, settings.maxSubscriptions)) {
            const full = failures.limitReached(message.id, "subscriptions", settings.maxSubscriptions);
            void exchange.answer(message.id, JSON.stringify(full));
          } else if (exchange !== undefined) server.request(message, exchange, extra);
        } else if (isNotification(message)) {
          const isFirst = message.method === "notifications/initialized" && row.initialized === 0;
          if (isFirst) lifecycle.update({ initialized: 1 });
          server.notify(message, extra);
        } else if (isKeepaliveId(message.id)) {
          const value = String(message.id);
          for (const stream of options.streams(row).attached())
            stream.tell(controlFrame({ type: "pong", value }));
        } else if (!server.respond(message, extra)) {
          settings.emit("orphan.response", { session: shortId(id) });
        }
      }
      return exchange === undefined ? { kind: "accepted" } : exchange.reply;
    },
  };
  return dispatch;
}
