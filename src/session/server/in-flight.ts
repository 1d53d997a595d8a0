/**
 * The requests in flight in one server, each with the exchange that waits for its answer. A request leaves
 * here once: answered, cancelled, refused, out of time, or with the server that had it.
 * @module
 */
import { clientText, type EventSink, messageOf, type Outcome, shortId } from "../../events.ts";
import * as failures from "../../jsonrpc/failures.ts";
import {
  isObject,
  type JsonObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from "../../jsonrpc/messages.ts";
import { createInbound, type Inbound } from "./correlation.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import type { Exchange } from "./reply.ts";
import { heartbeatMessage } from "./heartbeat.ts";
import { createPulses, type Pulse } from "./pulses.ts";
import type { CallDetail } from "../../sessions.ts";
import { type CallWatch, nameIn, outcomeOf, type WatchedCall } from "../../watch.ts";
import { callFailed, withoutPayload } from "./reports.ts";

/** What becomes of an answer that grants something, once the transport has borne it out, or could not. */
export interface Confirmed {
  /** The answer to give. */
  readonly response: JsonRpcResponse;
  /** What the server is asked so that it has not happened for it either. */
  readonly undo?: { readonly method: string; readonly params: JsonObject } | undefined;
}

/** Undefined where the answer can leave as it is, which all but few can: it is asked for each. */
export type Confirm = (request: JsonRpcRequest, response: JsonRpcResponse) => Promise<Confirmed> | undefined;

/** A client's request. */
export interface ClientCall {
  readonly exchange: Exchange;
  readonly request: JsonRpcRequest;
  /** Undefined where nobody listens. */
  watched: WatchedCall | undefined;
  /** When it began, in milliseconds since 1970. */
  readonly began: number;
  /** When it has run for too long; Infinity for never. */
  due: number;
  /** Where it asked for progress. */
  readonly pulse: Pulse | undefined;
  /** Whether its answer could not be stored: an error in its place is tried until it can. */
  lost: boolean;
}

/** A request of our own, which brings a new server to where the last one stood. */
export interface ReplayedCall {
  readonly exchange?: undefined;
  readonly replayed: (response: JsonRpcResponse) => void;
}

type Entry = ClientCall | ReplayedCall;

/** The requests in flight in one server. */
export interface Calls {
  size(): number;
  /** The client's requests in flight. */
  requests(): JsonRpcRequest[];
  /** The same, for whoever runs the server. */
  inFlight(): CallDetail[];
  /** Exchanges with a request in flight, each once. */
  exchanges(): Set<Exchange>;
  /** A client's request is handed to the server; returns the id under which it is. */
  begin(request: JsonRpcRequest, exchange: Exchange, due: number): number;
  /** The request in flight under `id` is watched. */
  watched(id: number, watched: WatchedCall): void;
  /** A request of our own is; `replayed` hears the answer. */
  replay(replayed: (response: JsonRpcResponse) => void): number;
  /** The request that the server knows under `id`; undefined once it is over. */
  find(id: RequestId): Entry | undefined;
  /** The request in flight that has this progress token. */
  ofToken(token: unknown): ClientCall | undefined;
  /** Notes progress that the tool reports on a request; returns the params as they may go out. */
  progressed(call: ClientCall, params: JsonObject): JsonObject;
  /** An id under which the server is told something whose answer nobody waits for. */
  fresh(): number;
  /**
   * The server's answer. Never rejects for what the server wrote: nobody but the client can use that. `undo` is
   * handed what the server must be told so that what it granted has not happened.
   */
  answer(response: JsonRpcResponse, undo: (method: string, params: JsonObject) => void): Promise<void>;
  /** The server did not take the request: where it is still in flight, it is answered. */
  refuse(id: RequestId, why: unknown): void;
  /** An answer went nowhere, nobody knows whose: where there is but one call that can have been, it is answered. */
  miss(why: unknown): void;
  /** The client cancels; `tell` is handed our id between the removal and the end of the exchange's wait. */
  cancel(original: RequestId, tell: (id: number) => void): void;
  /** When the first request in flight is due. */
  due(): number | undefined;
  /** Answers what is due with an error; `tell` is handed the id and request of each that the server still has. */
  expire(now: number, tell: (id: number, request: JsonRpcRequest) => void): void;
  /** The server is no more: nothing is in flight, and each exchange is settled, by which its calls end so. */
  end(settle: (exchange: Exchange) => void, outcome: Outcome): void;
}

/** How requests are answered, and who hears of it; sizes in bytes, times in milliseconds. */
export interface CallsOptions {
  /** Undefined for a server that belongs to no session. */
  readonly sessionId: string | undefined;
  readonly emit: EventSink;
  readonly maxEventBytes: number;
  readonly progressHeartbeatMs: number;
  /** Makes one unit of what an answer that is stored writes. */
  readonly transaction: <T>(body: () => T) => T;
  /** Asked about each answer first; where it takes time, the answer waits. */
  readonly confirm?: Confirm | undefined;
  /** What to answer in the server's place; undefined where its own answer stands. */
  readonly instead?:
    | ((request: JsonRpcRequest, response: JsonRpcResponse) => JsonRpcResponse | undefined)
    | undefined;
  /** Undefined where nobody listens. */
  readonly watch?: CallWatch | undefined;
  /** A request was answered, before the answer goes out. */
  readonly onAnswered: (request: JsonRpcRequest, response: JsonRpcResponse) => void;
}

type Held = NonNullable<ReturnType<Inbound<Entry>["take"]>>;

/** Nothing is in flight at first. */
export function createCalls(options: CallsOptions): Calls {
  const { emit, maxEventBytes } = options;
  const session = options.sessionId && shortId(options.sessionId);
  const inbound = createInbound<Entry>();

  /** The answer as it goes to the client, and as what it is known here. */
  const written = (request: JsonRpcRequest, response: JsonRpcResponse): [JsonRpcResponse, string] => {
    const { id } = request;
    const restored = { ...response, id };
    let instead: JsonRpcResponse;
    try {
      const json = writeResponse(restored);
      if (json.length <= maxEventBytes) return [restored, json];
      instead = failures.tooLarge(id, json.length, maxEventBytes);
    } catch (error) {
      callFailed(emit, { session, request, reason: "unserialisable", message: withoutPayload(error) });
      instead = failures.unserialisable(id);
    }
    return [instead, toWire(instead)];
  };

  /** Answers a client's call and lets go of it. Throws where the answer cannot be stored: it is tried again then. */
  const settle = (id: RequestId, call: ClientCall, response: JsonRpcResponse): Promise<void> => {
    const { exchange, request, watched } = call;
    const [restored, json] = written(request, response);
    const finish = (): Promise<void> => {
      options.onAnswered(request, restored);
      return exchange.answer(request.id, json);
    };
    let paced: Promise<void>;
    if (exchange.stores()) {
      try {
        paced = options.transaction(finish);
      } catch (error) {
        call.due = 0;
        call.lost = true;
        throw error;
      }
    } else {
      try {
        paced = finish();
      } catch {
        // What it changed cannot be stored (a full disk): for the client it has not happened.
        paced = exchange.answer(request.id, failures.errorBody(failures.internalError.error, request.id));
      }
    }
    inbound.take(id);
    watched?.ended(outcomeOf(restored), { bytes: json.length, streamed: exchange.stores() });
    return paced;
  };

  const attempt = (body: () => unknown): void => {
    try {
      body();
    } catch (error) {
      emit("send.error", { session, message: messageOf(error) });
    }
  };

  const clientCalls = (): (Held & { entry: ClientCall })[] =>
    inbound.held().filter((call): call is Held & { entry: ClientCall } => call.entry.exchange !== undefined);

  const exchanges = (): Set<Exchange> => new Set(clientCalls().map(({ entry }) => entry.exchange));

  const pulses = createPulses(options.progressHeartbeatMs, () =>
    clientCalls().flatMap(({ entry: { pulse, exchange } }) =>
      pulse === undefined
        ? []
        : [{ pulse, beat: (params) => exchange.aside(toWire(heartbeatMessage(params))) }],
    ),
  );

  return {
    size: inbound.size,
    requests: () => clientCalls().map(({ entry }) => entry.request),
    exchanges,
    inFlight: () =>
      clientCalls().map(({ entry: { request, began } }) => ({
        method: clientText(request.method),
        name: nameIn(request),
        ageMs: Date.now() - began,
      })),
    begin: (request, exchange, due) =>
      inbound.add(request.id, {
        exchange,
        request,
        watched: undefined,
        began: Date.now(),
        due,
        pulse: pulses.of(request),
        lost: false,
      }),
    watched(id, watched) {
      const call = inbound.get(id);
      if (call?.exchange !== undefined) call.watched = watched;
    },
    replay: (replayed) => inbound.add("replay", { replayed }),
    find: inbound.get,
    ofToken: (token) =>
      clientCalls().find(({ entry: { request } }) => {
        const meta = request.params?.["_meta"];
        return isObject(meta) && meta["progressToken"] === token;
      })?.entry,
    progressed: ({ pulse }, params) => (pulse === undefined ? params : pulses.reported(pulse, params)),
    fresh() {
      const id = inbound.add("told", { replayed() {} });
      inbound.take(id);
      return id;
    },
    async answer(given, undo) {
      const call = inbound.get(given.id);
      // Cancelled, or a second answer: nobody waits.
      if (call === undefined) return;
      if (call.exchange !== undefined) {
        const response = options.instead?.(call.request, given) ?? given;
        const confirming = options.confirm?.(call.request, response);
        if (confirming === undefined) return settle(response.id, call, response);
        const confirmed = await confirming;
        if (confirmed.undo !== undefined) undo(confirmed.undo.method, confirmed.undo.params);
        // Whoever cancelled it meanwhile, or ended the server, has settled it.
        return inbound.get(response.id) === call ? settle(response.id, call, confirmed.response) : undefined;
      }
      inbound.take(given.id);
      call.replayed(given);
    },
    refuse(id, why) {
      const call = inbound.get(id);
      if (call === undefined) return;
      if (call.exchange === undefined) {
        inbound.take(id);
        return call.replayed(failures.notTaken("replay"));
      }
      callFailed(emit, { session, request: call.request, reason: "not-taken", message: withoutPayload(why) });
      attempt(() => settle(id, call, failures.notTaken(call.request.id)));
    },
    miss(why) {
      const [only, another] = clientCalls();
      if (only === undefined || another !== undefined || only.entry.lost) return;
      const { request } = only.entry;
      callFailed(emit, { session, request, reason: "unserialisable", message: withoutPayload(why) });
      attempt(() => settle(only.id, only.entry, failures.unserialisable(request.id)));
    },
    cancel(original, tell) {
      const id = inbound.find(original);
      const call = id === undefined ? undefined : inbound.take(id);
      if (call === undefined) return;
      tell(call.id);
      if (call.entry.exchange === undefined) return;
      call.entry.exchange.cancel(call.original);
      call.entry.watched?.ended("cancelled", unanswered(call.entry));
    },
    due() {
      let first = Infinity;
      for (const { entry } of clientCalls()) first = Math.min(first, entry.due);
      return first === Infinity ? undefined : first;
    },
    expire(now, tell) {
      for (const { id, entry } of clientCalls()) {
        if (entry.due > now) continue;
        const { request, lost } = entry;
        if (!lost)
          callFailed(emit, {
            session,
            request,
            reason: "timeout",
            message: "the server did not answer in time",
          });
        attempt(() => settle(id, entry, lost ? failures.lost(request.id) : failures.timedOut(request.id)));
        if (!lost) tell(id, request);
      }
    },
    end(settleExchange, outcome) {
      const open = exchanges();
      const left = options.watch === undefined ? [] : clientCalls();
      inbound.clear();
      pulses.stop();
      // One whose answers cannot be stored must not keep the others from theirs.
      for (const exchange of open) attempt(() => settleExchange(exchange));
      for (const { entry } of left) entry.watched?.ended(outcome, unanswered(entry));
    },
  };
}

/** What is told of an answer that the server has not given. */
function unanswered({ exchange }: ClientCall): { readonly bytes: number; readonly streamed: boolean } {
  return { bytes: 0, streamed: exchange.stores() };
}

/**
 * A response as JSON.
 * @throws where it cannot be written, or would come out as one without a result, which clients drop
 */
function writeResponse(response: JsonRpcResponse): string {
  const { result, error } = response;
  if (error === undefined) {
    if (!isObject(result)) throw new TypeError("The result is not an object");
    if (typeof result["toJSON"] === "function" && JSON.stringify(result)?.startsWith("{") !== true) {
      throw new TypeError("The result is not an object as JSON");
    }
  }
  return toWire(response);
}
