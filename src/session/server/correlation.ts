/**
 * Keeps the ids of concurrent requests apart. Clients that share a session send equal ids (claude.ai
 * sends `1` with every request), and a server instance counts from 0 again after each restart, so
 * neither side's ids identify a request here. Both are replaced on the way in and restored on the
 * way out.
 * @module
 */
import { isObject, type JsonObject, type JsonRpcResponse, type RequestId } from "../../jsonrpc/messages.ts";

/** Requests from the client, under ids of our own, each with what the caller keeps about it. */
export interface Inbound<Entry> {
  size(): number;
  /** Registers a request and returns the id under which the server gets it. */
  add(original: RequestId, entry: Entry): number;
  get(id: RequestId): Entry | undefined;
  /** Removes and returns a request: it is answered or cancelled. */
  take(id: RequestId): { id: number; original: RequestId; entry: Entry } | undefined;
  /** Our id of the newest request in flight that the client calls `original`. */
  find(original: RequestId): number | undefined;
  /** All that are in flight, as they are now. */
  held(): { id: number; original: RequestId; entry: Entry }[];
  /** Removes all. */
  clear(): void;
}

/** Ids begin below this, so that they stay small integers to V8. */
const FIRST_IDS = 2 ** 29;

/** Nothing is in flight at first. */
export function createInbound<Entry>(): Inbound<Entry> {
  // Searched: they are few (`maxInFlight`), and a Map makes a new table whenever it runs empty, among what lives
  // long once it is old itself: 200 bytes a call that only a full collection takes back.
  const calls: { id: number; original: RequestId; entry: Entry }[] = [];
  // At random, so that what one server answers by mistake through another's transport meets no request there; not
  // from 0, since SDK v1 ignores the cancellation of a request whose id is 0.
  let counter = Math.floor(Math.random() * FIRST_IDS);
  return {
    size: () => calls.length,
    add(original, entry) {
      counter += 1;
      calls.push({ id: counter, original, entry });
      return counter;
    },
    get: (id) => calls.find((call) => call.id === id)?.entry,
    take(id) {
      const index = calls.findIndex((call) => call.id === id);
      const call = calls[index];
      // The last by `pop`, which keeps the array's room.
      if (index === calls.length - 1) calls.pop();
      else if (call !== undefined) calls.splice(index, 1);
      return call;
    },
    find: (original) => calls.findLast((call) => call.original === original)?.id,
    held: () => calls.slice(),
    clear: () => void calls.splice(0),
  };
}

/** Requests from the server, under wire ids that no other isolate of this session has used. */
export interface Outbound {
  /** Replaces the id (and a progress token, which SDKs set to the id) of a request on its way out. */
  rename(id: RequestId, params: JsonObject | undefined): { id: string; params: JsonObject | undefined };
  /** The server gave a request up: its wire id, under which nobody waits any more. */
  cancel(id: RequestId): string | undefined;
  /** Restores the id of a client's answer; undefined where nobody waits for it (any more). */
  restore(response: JsonRpcResponse): JsonRpcResponse | undefined;
  /** Restores the progress token of a client's progress notification. */
  restoreToken(token: unknown): RequestId | undefined;
}

/** @param prefix in front of the ids */
export function createOutbound(prefix: string): Outbound {
  // Random, not counted: a counter would cost a write at each start of an isolate.
  const nonce = crypto.randomUUID().slice(0, 8);
  const originals = new Map<string, RequestId>();
  const wire = (id: RequestId): string =>
    `${prefix}${nonce}.${typeof id === "number" ? id : JSON.stringify(id)}`;

  return {
    rename(id, params) {
      const wireId = wire(id);
      originals.set(wireId, id);
      const meta = params?.["_meta"];
      if (!isObject(meta) || meta["progressToken"] !== id) return { id: wireId, params };
      return { id: wireId, params: { ...params, _meta: { ...meta, progressToken: wireId } } };
    },
    cancel(id) {
      const wireId = wire(id);
      return originals.delete(wireId) ? wireId : undefined;
    },
    restore(response) {
      const original = typeof response.id === "string" ? originals.get(response.id) : undefined;
      if (original === undefined) return undefined;
      originals.delete(response.id as string);
      return { ...response, id: original };
    },
    restoreToken: (token) => (typeof token === "string" ? originals.get(token) : undefined),
  };
}
