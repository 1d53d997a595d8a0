/**
 * The requests in flight in one server, each with the exchange that waits for its answer. A request leaves
 * here once: answered, cancelled, refused, out of time, or with the server that had it.
 * @module
 */
import { clientText, messageOf, shortId } from "../../log-text.ts";
import type { Outcome } from "../../events.ts";
import * as failures from "../../jsonrpc/failures.ts";
import {
  isObject,
  type JsonObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from "../../jsonrpc/messages.ts";
import { createInbound, type Inbound, type Numbered } from "./correlation.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import type { Exchange } from "./reply.ts";
import { heartbeatMessage, progressTokenOf } from "./heartbeat.ts";
import { type Beating, createPulses, type Pulse, type Pulses } from "./pulses.ts";
import type { CallsSide, ClientCall, Confirmed, ReplayedCall, Told } from "./call.ts";
import type { CallDetail } from "../../sessions.ts";
import { nameIn, outcomeOf, type WatchedCall } from "../../watch.ts";
import { type CallFailed, callFailed, withoutPayload } from "./reports.ts";
import { writeAnswer } from "./written.ts";

type Entry = ClientCall | ReplayedCall;

type Held = Numbered<Entry>;
type HeldCall = Numbered<ClientCall>;

/** The requests in flight in one server; nothing is at first. */
export class Calls {
  readonly #side: CallsSide;
  readonly #inbound: Inbound<Entry> = createInbound();
  /** Made with the first request that asks for progress. */
  #pulses: Pulses | undefined;

  constructor(side: CallsSide) {
    this.#side = side;
  }

  size(): number {
    return this.#inbound.size();
  }

  /** The client's requests in flight. */
  requests(): JsonRpcRequest[] {
    return this.#clientCalls().map(({ entry }) => entry.request);
  }

  /** Exchanges with a request in flight, each once. */
  exchanges(): Set<Exchange> {
    return new Set(this.#clientCalls().map(({ entry }) => entry.exchange));
  }

  /** What is in flight, for whoever runs the server. */
  inFlight(): CallDetail[] {
    return this.#clientCalls().map(({ entry: { request, began } }) => ({
      method: clientText(request.method),
      name: nameIn(request),
      ageMs: Date.now() - began,
    }));
  }

  /** A client's request is handed to the server; returns the id under which it is. */
  begin(request: JsonRpcRequest, exchange: Exchange, due: number): number {
    return this.#inbound.add(request.id, {
      exchange,
      request,
      watched: undefined,
      began: Date.now(),
      due,
      pulse: this.#pulseOf(request),
      lost: false,
    });
  }

  /** The request in flight under `id` is watched. */
  watched(id: number, watched: WatchedCall): void {
    const call = this.#inbound.get(id);
    if (call?.exchange !== undefined) call.watched = watched;
  }

  /** A request of our own is; `replayed` hears the answer. */
  replay(replayed: (response: JsonRpcResponse) => void): number {
    return this.#inbound.add("replay", { replayed });
  }

  /** The request that the server knows under `id`; undefined once it is over. */
  find(id: RequestId): Entry | undefined {
    return this.#inbound.get(id);
  }

  /** The request in flight that has this progress token. */
  ofToken(token: unknown): ClientCall | undefined {
    return this.#clientCalls().find(({ entry: { request } }) => {
      const meta = request.params?.["_meta"];
      return isObject(meta) && meta["progressToken"] === token;
    })?.entry;
  }

  /** Notes progress that the tool reports on a request; returns the params as they may go out. */
  progressed({ pulse }: ClientCall, params: JsonObject): JsonObject {
    return pulse === undefined ? params : (this.#pulses?.reported(pulse, params) ?? params);
  }

  /** An id under which the server is told something whose answer nobody waits for. */
  fresh(): number {
    const id = this.#inbound.add("told", { replayed() {} });
    this.#inbound.take(id);
    return id;
  }

  /**
   * The server's answer. Never rejects for what the server wrote: nobody but the client can use that. `server` is
   * told what undoes what it granted, where that cannot be had.
   */
  answer(given: JsonRpcResponse, server: Told): Promise<void> {
    const side = this.#side;
    const call = this.#inbound.get(given.id);
    // Cancelled, or a second answer: nobody waits.
    if (call === undefined) return Promise.resolve();
    if (call.exchange === undefined) {
      this.#inbound.take(given.id);
      call.replayed(given);
      return Promise.resolve();
    }
    try {
      const response = side.instead?.(call.request, given) ?? given;
      const confirming = side.confirm?.(call.request, response);
      return confirming === undefined
        ? this.#settle(response.id, call, response)
        : this.#confirmed(response.id, { call, confirming, server });
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  /** The server did not take the request: where it is still in flight, it is answered. */
  refuse(id: RequestId, why: unknown): void {
    const call = this.#inbound.get(id);
    if (call === undefined) return;
    if (call.exchange === undefined) {
      this.#inbound.take(id);
      return call.replayed(failures.notTaken("replay"));
    }
    const { request } = call;
    this.#failed(request, "not-taken", withoutPayload(why));
    this.#attempt(() => this.#settle(id, call, failures.notTaken(request.id)));
  }

  /** An answer went nowhere, nobody knows whose: where there is but one call that can have been, it is answered. */
  miss(why: unknown): void {
    const [only, another] = this.#clientCalls();
    if (only === undefined || another !== undefined || only.entry.lost) return;
    const { request } = only.entry;
    this.#failed(request, "unserialisable", withoutPayload(why));
    this.#attempt(() => this.#settle(only.id, only.entry, failures.unserialisable(request.id)));
  }

  /** The client cancels; `tell` is handed our id between the removal and the end of the exchange's wait. */
  cancel(original: RequestId, tell: (id: number) => void): void {
    const id = this.#inbound.find(original);
    const call = id === undefined ? undefined : this.#inbound.take(id);
    if (call === undefined) return;
    tell(call.id);
    if (call.entry.exchange === undefined) return;
    call.entry.exchange.cancel(call.original);
    call.entry.watched?.ended("cancelled", unanswered(call.entry));
  }

  /** When the first request in flight is due. */
  due(): number | undefined {
    let first = Infinity;
    for (const { entry } of this.#clientCalls()) first = Math.min(first, entry.due);
    return first === Infinity ? undefined : first;
  }

  /** Answers what is due with an error; `tell` is handed the id and request of each that the server still has. */
  expire(now: number, tell: (id: number, request: JsonRpcRequest) => void): void {
    for (const { id, entry } of this.#clientCalls()) {
      if (entry.due > now) continue;
      const { request, lost } = entry;
      if (!lost) this.#failed(request, "timeout", "the server did not answer in time");
      const response = lost ? failures.lost(request.id) : failures.timedOut(request.id);
      this.#attempt(() => this.#settle(id, entry, response));
      if (!lost) tell(id, request);
    }
  }

  /** The server is no more: nothing is in flight, and each exchange is settled, by which its calls end so. */
  end(settleExchange: (exchange: Exchange) => void, outcome: Outcome): void {
    const open = this.exchanges();
    const left = this.#side.watch === undefined ? [] : this.#clientCalls();
    this.#inbound.clear();
    this.#pulses?.stop();
    // One whose answers cannot be stored must not keep the others from theirs.
    for (const exchange of open) this.#attempt(() => settleExchange(exchange));
    for (const { entry } of left) entry.watched?.ended(outcome, unanswered(entry));
  }

  #clientCalls(): HeldCall[] {
    return this.#inbound.held().filter((call: Held): call is HeldCall => call.entry.exchange !== undefined);
  }

  #pulseOf(request: JsonRpcRequest): Pulse | undefined {
    const { progressHeartbeatMs } = this.#side.settings;
    const token = progressHeartbeatMs === 0 ? undefined : progressTokenOf(request.params);
    if (token === undefined) return undefined;
    this.#pulses ??= createPulses(progressHeartbeatMs, () => this.#beating());
    return this.#pulses.of(token);
  }

  #beating(): Beating[] {
    return this.#clientCalls().flatMap(({ entry: { pulse, exchange } }) =>
      pulse === undefined
        ? []
        : [{ pulse, beat: (params) => exchange.aside(toWire(heartbeatMessage(params))) }],
    );
  }

  /** Answers a client's call and lets go of it. Throws where the answer cannot be stored: it is tried again then. */
  #settle(id: RequestId, call: ClientCall, response: JsonRpcResponse): Promise<void> {
    const { exchange, request, watched } = call;
    const [restored, json] = writeAnswer(this.#side, request, response);
    let paced: Promise<void>;
    if (exchange.stores()) {
      try {
        paced = this.#store(call, restored, json);
      } catch (error) {
        call.due = 0;
        call.lost = true;
        throw error;
      }
    } else {
      try {
        paced = this.#finish(call, restored, json);
      } catch {
        // What it changed cannot be stored (a full disk): for the client it has not happened.
        paced = exchange.answer(request.id, failures.errorBody(failures.internalError.error, request.id));
      }
    }
    this.#inbound.take(id);
    watched?.ended(outcomeOf(restored), { bytes: json.length, streamed: exchange.stores() });
    return paced;
  }

  #finish({ request, exchange }: ClientCall, restored: JsonRpcResponse, json: string): Promise<void> {
    this.#side.onAnswered(request, restored);
    return exchange.answer(request.id, json);
  }

  /** Apart from where it is called, since V8 makes room for what a function closes over at each call of the whole. */
  #store(call: ClientCall, restored: JsonRpcResponse, json: string): Promise<void> {
    return this.#side.transaction(() => this.#finish(call, restored, json));
  }

  async #confirmed(id: RequestId, { call, confirming, server }: Confirming): Promise<void> {
    const { undo, response } = await confirming;
    if (undo !== undefined) server.tell(undo.method, undo.params);
    // Whoever cancelled it meanwhile, or ended the server, has settled it.
    if (this.#inbound.get(id) === call) await this.#settle(id, call, response);
  }

  #failed(request: JsonRpcRequest, reason: CallFailed["reason"], message: string): void {
    const { sessionId, settings } = this.#side;
    callFailed(settings.emit, { session: sessionId && shortId(sessionId), request, reason, message });
  }

  #attempt(body: () => unknown): void {
    try {
      body();
    } catch (error) {
      const { sessionId, settings } = this.#side;
      settings.emit("send.error", { session: sessionId && shortId(sessionId), message: messageOf(error) });
    }
  }
}

/** An answer that waits for what it grants. */
interface Confirming {
  readonly call: ClientCall;
  readonly confirming: Promise<Confirmed>;
  readonly server: Told;
}

/** What is told of an answer that the server has not given. */
function unanswered({ exchange }: ClientCall): { readonly bytes: number; readonly streamed: boolean } {
  return { bytes: 0, streamed: exchange.stores() };
}
