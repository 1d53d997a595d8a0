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
  type JsonRpcRequest,
  type RequestId,
} from "../../jsonrpc/messages.ts";
import { toWire } from "../../jsonrpc/wire.ts";
import type { Outbound } from "./correlation.ts";
import type { Calls, ClientCall } from "./in-flight.ts";
import type { Exchange } from "./reply.ts";

/** Ways out of a server that belong to no call. */
export interface OutgoingWays {
  /** Where a message goes that belongs to no request: to the standalone stream. */
  readonly sendUnrelated: (json: string) => Promise<void>;
  /** True while a client listens on the standalone stream. */
  readonly hasListener: () => boolean;
  /** There is nobody who could answer: what the server asks of the client is refused at once. */
  readonly refuseRequests?: boolean;
}

/** What a message on its way out is looked up in. */
export interface OutgoingOptions extends OutgoingWays {
  readonly calls: Calls;
  readonly outbound: Outbound;
  /** In bytes of JSON; a larger message is refused to who sends it. */
  readonly maxEventBytes: number;
  /** True once the server has ended. */
  readonly isOver: () => boolean;
  /** While replaying, what the server announces on its own has been announced before. */
  readonly isReplaying: () => boolean;
  /** Answers the server's request in its client's place. */
  readonly refuse: (id: RequestId) => void;
  /** Tells the server what undoes an answer of its own. */
  readonly tell: (method: string, params: JsonObject) => void;
}

const PROGRESS = "notifications/progress";

/**
 * Sends a message of the server's, `related` being the request that it says it belongs to. Resolves once the reader's
 * pace allows more; rejects where nobody can get it, as the SDKs' own transports do.
 */
export type SendOutgoing = (message: JsonRpcMessage, related: RequestId | undefined) => Promise<void>;

/** One for each server. */
export function createOutgoing(options: OutgoingOptions): SendOutgoing {
  const { calls, outbound } = options;

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
    if (options.refuseRequests === true) return options.refuse(message.id);
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
      return options.isOver() ? undefined : calls.answer(message, options.tell);
    }
    if (options.isOver()) throw new Error("The session has ended");
    const isWithdrawal = message.method === "notifications/cancelled";
    const wireId = isWithdrawal ? outbound.cancel(message.params?.["requestId"] as RequestId) : undefined;
    const outgoing = isWithdrawal
      ? { ...message, params: { ...message.params, requestId: wireId } }
      : message;
    if (related === undefined) {
      if (isRequest(message)) return ask(message, onlyExchange());
      if (options.isReplaying()) return;
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

  return send;
}

function definedParams<T extends { params: JsonObject | undefined }>(message: T): T {
  const { params, ...rest } = message;
  return (params === undefined ? rest : message) as T;
}
