/**
 * Keeps the ids of concurrent requests apart. Clients that share a session send equal ids (claude.ai
 * sends `1` with every request), and a server instance counts from 0 again after each restart, so
 * neither side's ids identify a request here. Both are replaced on the way in and restored on the
 * way out.
 * @module
 */
import { isObject, type JsonObject, type JsonRpcResponse, type RequestId } from "../../jsonrpc/messages.ts";

/** A request from the client: our id of it, and its own. */
export interface Numbered<Entry> {
  readonly id: number;
  readonly original: RequestId;
  readonly entry: Entry;
}

/** Requests from the client, under ids of our own, each with what the caller keeps about it. */
export interface Inbound<Entry> {
  size(): number;
  /** Registers a request and returns the id under which the server gets it. */
  add(original: RequestId, entry: Entry): number;
  get(id: RequestId): Entry | undefined;
  /** Removes and returns a request: it is answered or cancelled. */
  take(id: RequestId): Numbered<Entry> | undefined;
  /** Our id of the newest request in flight that the client calls `original`. */
  find(original: RequestId): number | undefined;
  /** All that are in flight, as they are now. */
  held(): Numbered<Entry>[];
  /** Removes all. */
  clear(): void;
}

/** Ids begin below this, so that they stay small integers to V8. */
const FIRST_IDS = 2 ** 29;

/** Nothing is in flight at first. */
export function createInbound<Entry>(): Inbound<Entry> {
  return new NumberedRequests();
}

class NumberedRequests<Entry> implements Inbound<Entry> {
  // Searched: they are few (`maxInFlight`), and a Map makes a new table whenever it runs empty, among what lives
  // long once it is old itself: 200 bytes a call that only a full collection takes back.
  readonly #calls: Numbered<Entry>[] = [];
  // At random, so that what one server answers by mistake through another's transport meets no request there; not
  // from 0, since SDK v1 ignores the cancellation of a request whose id is 0.
  #counter = Math.floor(Math.random() * FIRST_IDS);

  size(): number {
    return this.#calls.length;
  }

  add(original: RequestId, entry: Entry): number {
    const id = ++this.#counter;
    this.#calls.push({ id, original, entry });
    return id;
  }

  get(id: RequestId): Entry | undefined {
    return this.#calls[this.#indexOf(id)]?.entry;
  }

  take(id: RequestId): Numbered<Entry> | undefined {
    const calls = this.#calls;
    const index = this.#indexOf(id);
    // The last by `pop`, which keeps the array's room.
    if (index === calls.length - 1) return calls.pop();
    return index < 0 ? undefined : calls.splice(index, 1)[0];
  }

  find(original: RequestId): number | undefined {
    return this.#calls.findLast((call) => call.original === original)?.id;
  }

  held(): Numbered<Entry>[] {
    return this.#calls.slice();
  }

  clear(): void {
    this.#calls.length = 0;
  }

  #indexOf(id: RequestId): number {
    const calls = this.#calls;
    let index = calls.length - 1;
    while (index >= 0 && calls[index]?.id !== id) index--;
    return index;
  }
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
  return new RenamedRequests(prefix);
}

class RenamedRequests implements Outbound {
  readonly #prefix: string;
  // Random, not counted: a counter would cost a write at each start of an isolate.
  #nonce: string | undefined;
  /** Made with the first: most servers ask their client nothing. */
  #originals: Map<string, RequestId> | undefined;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  rename(id: RequestId, params: JsonObject | undefined): { id: string; params: JsonObject | undefined } {
    const wireId = this.#wire(id);
    (this.#originals ??= new Map()).set(wireId, id);
    const meta = params?.["_meta"];
    if (!isObject(meta) || meta["progressToken"] !== id) return { id: wireId, params };
    return { id: wireId, params: { ...params, _meta: { ...meta, progressToken: wireId } } };
  }

  cancel(id: RequestId): string | undefined {
    const wireId = this.#wire(id);
    return this.#originals?.delete(wireId) ? wireId : undefined;
  }

  restore(response: JsonRpcResponse): JsonRpcResponse | undefined {
    const original = this.restoreToken(response.id);
    if (original === undefined) return undefined;
    this.#originals?.delete(response.id as string);
    return { ...response, id: original };
  }

  restoreToken(token: unknown): RequestId | undefined {
    return typeof token === "string" ? this.#originals?.get(token) : undefined;
  }

  #wire(id: RequestId): string {
    this.#nonce ??= crypto.randomUUID().slice(0, 8);
    return `${this.#prefix}${this.#nonce}.${typeof id === "number" ? id : JSON.stringify(id)}`;
  }
}
