/**
 * What a server sends, on its way: an answer to the call that it ends, a notification or a question to the stream of
 * the call that it belongs to, what belongs to none to the standalone stream.
 * @module
 */
import {
  isNotification,
  isObject,
  isRequest,
  isResponse,
  type JsonObject,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type RequestId,
} from "../../jsonrpc/messages.ts";
import { CODE } from "../../jsonrpc/failure.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import type { Settings } from "../../options.ts";
import type { Outbound } from "./correlation.ts";
import type { ClientCall, Told } from "./call.ts";
import type { Calls } from "./in-flight.ts";
import type { Exchange } from "./reply.ts";

/** Ways out of a server that belong to no call. */
export interface OutgoingWays {
  readonly settings: Pick<Settings, "maxEventBytes">;
  /** Where a message goes that belongs to no request: to the standalone stream. */
  sendUnrelated(json: string): Promise<void>;
  /** True while a client listens on the standalone stream. */
  hasListener(): boolean;
  /** There is nobody who could answer: what the server asks of the client is refused at once. */
  readonly refuseRequests?: boolean;
}

/** The server, as what it sends is looked at. */
export interface Sender extends Told {
  readonly calls: Calls;
  readonly outbound: Outbound;
  /** True once the server has ended. */
  isOver(): boolean;
  /** While replaying, what the server announces on its own has been announced before. */
  isReplaying(): boolean;
  /** Answers the server's request in its client's place. */
  refuse(id: RequestId): void;
}

const PROGRESS = "notifications/progress";

/** The way out of one server. */
export class Outgoing {
  readonly #sender: Sender;
  readonly #ways: OutgoingWays;

  constructor(sender: Sender, ways: OutgoingWays) {
    this.#sender = sender;
    this.#ways = ways;
  }

  /**
   * Sends a message of the server's, `related` being the request that it says it belongs to. Resolves once the reader's
   * pace allows more; rejects where nobody can get it, as the SDKs' own transports do.
   */
  send(message: JsonRpcMessage, related: RequestId | undefined): Promise<void> {
    if (!isResponse(message)) return this.#say(message, related);
    // One that comes too late is nobody's, and nobody's fault.
    const sender = this.#sender;
    return sender.isOver() ? Promise.resolve() : sender.calls.answer(message, sender);
  }

  async #say(message: JsonRpcRequest | JsonRpcNotification, related: RequestId | undefined): Promise<void> {
    const { calls, outbound } = this.#sender;
    if (this.#sender.isOver()) throw new Error("The session has ended");
    const isWithdrawal = message.method === "notifications/cancelled";
    const wireId = isWithdrawal ? outbound.cancel(message.params?.["requestId"] as RequestId) : undefined;
    const outgoing = isWithdrawal
      ? { ...message, params: { ...message.params, requestId: wireId } }
      : message;
    if (related === undefined) {
      if (isRequest(message)) return this.#ask(message, this.#onlyExchange());
      if (this.#sender.isReplaying()) return;
      if (this.#isStale(message)) throw new Error("Progress was reported on a call that is over");
      return this.#pass(this.#progressed(outgoing, undefined), undefined);
    }
    const call = calls.find(related);
    if (call === undefined) {
      // The question that it withdraws was part of a call that is over, and went with it.
      if (isWithdrawal) return;
      throw new Error(`No call is in flight under request id ${related}: it was answered or cancelled`);
    }
    if (isRequest(message)) {
      if (call.exchange === undefined) throw new Error("Nobody waits for a request that is replayed");
      return this.#ask(message, call.exchange);
    }
    // What a replayed request says on its way, it has said before.
    if (call.exchange !== undefined) return this.#pass(this.#progressed(outgoing, call), call.exchange);
  }

  /**
   * The stream for a server's request that names no inbound one: SDK v2's `elicitInput` inside a
   * handler does not. Without a listener on the standalone stream it would hang to its time-out, so
   * it takes the stream of the one call in flight, if there is just one.
   */
  #onlyExchange(): Exchange | undefined {
    if (this.#ways.hasListener()) return undefined;
    const [only, another] = [...this.#sender.calls.exchanges()].filter((exchange) => exchange.streams);
    return another === undefined ? only : undefined;
  }

  async #ask(message: JsonRpcRequest, exchange: Exchange | undefined): Promise<void> {
    const { outbound } = this.#sender;
    if (this.#ways.refuseRequests === true) return this.#sender.refuse(message.id);
    const renamed = { ...message, ...definedParams(outbound.rename(message.id, message.params)) };
    try {
      await this.#pass(renamed, exchange);
    } catch (error) {
      // It never left: no answer will come.
      outbound.cancel(message.id);
      throw error;
    }
  }

  /** Where a message goes, as JSON; `exchange` is undefined for the standalone stream. */
  #pass(message: JsonRpcMessage, exchange: Exchange | undefined): Promise<void> {
    const json = toWire(message);
    const { maxEventBytes } = this.#ways.settings;
    if (json.length > maxEventBytes) {
      const said = `The message has ${json.length} bytes; at most ${maxEventBytes} can be sent (maxEventBytes)`;
      // With a code: a tool's client may be told, as it is of a result that is too large. It can ask for less.
      throw Object.assign(new RangeError(said), { code: CODE.internalError });
    }
    return exchange === undefined ? this.#ways.sendUnrelated(json) : exchange.send(json);
  }

  /** Progress, above what heartbeats have said; any other message as it is. */
  #progressed(message: JsonRpcMessage, call: ClientCall | undefined): JsonRpcMessage {
    if (!isNotification(message) || message.method !== PROGRESS || message.params === undefined)
      return message;
    const { calls } = this.#sender;
    const on = call ?? calls.ofToken(message.params["progressToken"]);
    const params = on && calls.progressed(on, message.params);
    return params === undefined || params === message.params ? message : { ...message, params };
  }

  /** Progress must be on a request in flight (progress, "Progress Flow"), or on a task, which outlives its request. */
  #isStale(message: JsonRpcMessage): boolean {
    if (!isNotification(message) || message.method !== PROGRESS) return false;
    const meta = message.params?.["_meta"];
    if (isObject(meta) && "io.modelcontextprotocol/related-task" in meta) return false;
    return this.#sender.calls.ofToken(message.params?.["progressToken"]) === undefined;
  }
}

function definedParams<T extends { params: JsonObject | undefined }>(message: T): T {
  const { params, ...rest } = message;
  return (params === undefined ? rest : message) as T;
}
