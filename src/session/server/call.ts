/** One request in flight in a server, and whoever the server belongs to. @module */
import type { JsonObject, JsonRpcRequest, JsonRpcResponse } from "../../jsonrpc/messages.ts";
import type { Settings } from "../../options.ts";
import type { CallWatch, WatchedCall } from "../../watch.ts";
import type { Pulse } from "./pulses.ts";
import type { Exchange } from "./reply.ts";

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

/** Whoever the server belongs to: how its requests are answered, and who hears of it. One for all of its servers. */
export interface CallsSide {
  /** Undefined for a server that belongs to no session. */
  readonly sessionId: string | undefined;
  readonly settings: Pick<Settings, "emit" | "maxEventBytes" | "progressHeartbeatMs">;
  /** Undefined where nobody listens. */
  readonly watch: CallWatch | undefined;
  /** Makes one unit of what an answer that is stored writes. */
  transaction<T>(body: () => T): T;
  /** Asked about each answer first; where it takes time, the answer waits. */
  confirm?(request: JsonRpcRequest, response: JsonRpcResponse): ReturnType<Confirm>;
  /** What to answer in the server's place; undefined where its own answer stands. */
  instead?(request: JsonRpcRequest, response: JsonRpcResponse): JsonRpcResponse | undefined;
  /** A request was answered, before the answer goes out. */
  onAnswered(request: JsonRpcRequest, response: JsonRpcResponse): void;
}

/** A server, as it is told something of our own whose answer nobody waits for. */
export interface Told {
  tell(method: string, params: JsonObject): void;
}
