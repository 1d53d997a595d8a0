/**
 * Sticky requests: those that change what a server instance does from then on. They are journalled
 * once they have succeeded, compacted to the last word, and replayed into the next instance.
 *
 * What the journal has no room for never reaches the server, so that no server holds a subscription that its
 * successor would not be told of.
 * @module
 */
import { limitReached } from "../../jsonrpc/failures.ts";
import {
  isRequest,
  type JsonObject,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from "../../jsonrpc/messages.ts";
import { entryBytes, type EntryTotal, MOST_ENTRY_BYTES } from "../store/entries.ts";
import type { SessionStore } from "../store/store.ts";

/** What a server has not answered yet. */
export interface Underway {
  requests(): readonly JsonRpcRequest[];
}

/** The sticky requests of one session. */
export interface Journal {
  /**
   * The answer to a request that the journal would have no room for; undefined for any other.
   * @param underway requests that the server has not answered yet: each takes the room that it may need
   */
  refuse(request: JsonRpcRequest, underway: Underway): JsonRpcResponse | undefined;
  /** Records a request that has succeeded, if it is a sticky one. */
  record(request: JsonRpcRequest): void;
  /** What a new instance must be told, in order. */
  requests(): { method: string; params: JsonObject }[];
}

/** How much one session may have remembered. */
export interface JournalLimits {
  readonly maxSubscriptions: number;
  readonly maxSubscriptionBytes: number;
}

/** Method that is sticky for each resource. */
export const SUBSCRIBE = "resources/subscribe";
/** Method that takes a subscription back. */
export const UNSUBSCRIBE = "resources/unsubscribe";
const SET_LEVEL = "logging/setLevel";

/** The resources that these messages subscribe to. */
export function subscriptionsIn(messages: readonly JsonRpcMessage[]): string[] {
  return messages.flatMap((message) => {
    if (!isRequest(message) || message.method !== SUBSCRIBE) return [];
    const uri = message.params?.["uri"];
    return typeof uri === "string" ? [uri] : [];
  });
}

/** The resources that the session's client has subscribed to. */
export function subscribedUris(store: SessionStore): string[] {
  return store
    .entries("sticky")
    .filter(({ name }) => name.startsWith(`${SUBSCRIBE} `))
    .map(({ name }) => uriOf(name));
}

/** True where the session's client has subscribed to the resource. */
export function isSubscribed(store: SessionStore, uri: string): boolean {
  return store.entrySize("sticky", subscriptionName(uri)) !== undefined;
}

/** The entry that a resource's subscription is journalled under. */
export function subscriptionName(uri: string): string {
  // Escaped as in JSON: SQL's text keeps no half of a surrogate pair.
  return `${SUBSCRIBE} ${JSON.stringify(uri).slice(1, -1)}`;
}

/** The resource of such an entry. */
function uriOf(name: string): string {
  return JSON.parse(`"${name.slice(SUBSCRIBE.length + 1)}"`) as string;
}

/** The entry that a sticky request is journalled under; undefined for any other. */
function nameOf(request: JsonRpcRequest): string | undefined {
  if (request.method === SET_LEVEL) return SET_LEVEL;
  if (request.method !== SUBSCRIBE && request.method !== UNSUBSCRIBE) return undefined;
  const uri = request.params?.["uri"];
  return typeof uri === "string" ? subscriptionName(uri) : undefined;
}

/** What is kept of its params: not the URI, which is the entry's name, and nothing that was for the one request only. */
function valueOf({ method, params }: JsonRpcRequest): string {
  const { _meta, ...kept } = params ?? {};
  if (method === SUBSCRIBE) delete kept["uri"];
  return JSON.stringify(kept);
}

/** The session's journal, as its store has it. */
export function createJournal(store: SessionStore, limits: JournalLimits): Journal {
  return new StoredJournal(store, limits);
}

class StoredJournal implements Journal {
  readonly #store: SessionStore;
  readonly #limits: JournalLimits;
  /** Counted once in an isolate's life, and kept from then on. */
  #held: EntryTotal | undefined;

  constructor(store: SessionStore, limits: JournalLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  refuse(request: JsonRpcRequest, underway: Underway): JsonRpcResponse | undefined {
    if (request.method !== SUBSCRIBE && request.method !== SET_LEVEL) return undefined;
    const { maxSubscriptions, maxSubscriptionBytes } = this.#limits;
    const store = this.#store;
    const name = nameOf(request);
    if (name === undefined) return undefined;
    const size = entryBytes(name, valueOf(request));
    if (size > Math.min(MOST_ENTRY_BYTES, maxSubscriptionBytes)) {
      return limitReached(request.id, "bytes of subscriptions", maxSubscriptionBytes);
    }
    const replaced = store.entrySize("sticky", name);
    let { count, bytes } = this.#total();
    bytes += size - (replaced ?? 0);
    if (replaced === undefined) count += 1;
    const names = new Set([name]);
    for (const other of underway.requests()) {
      const otherName = other.method === SUBSCRIBE ? nameOf(other) : undefined;
      if (otherName === undefined || names.has(otherName)) continue;
      names.add(otherName);
      if (store.entrySize("sticky", otherName) !== undefined) continue;
      count += 1;
      bytes += entryBytes(otherName, valueOf(other));
    }
    if (request.method === SUBSCRIBE && replaced === undefined && count > maxSubscriptions) {
      return limitReached(request.id, "subscriptions", maxSubscriptions);
    }
    if (bytes > maxSubscriptionBytes && size > (replaced ?? 0)) {
      return limitReached(request.id, "bytes of subscriptions", maxSubscriptionBytes);
    }
    return undefined;
  }

  record(request: JsonRpcRequest): void {
    const name = nameOf(request);
    if (name === undefined) return;
    const store = this.#store;
    const now = this.#total();
    const replaced = store.entrySize("sticky", name);
    if (request.method === UNSUBSCRIBE) store.deleteEntry("sticky", name);
    else store.putEntry("sticky", name, valueOf(request));
    const added = request.method === UNSUBSCRIBE ? 0 : entryBytes(name, valueOf(request));
    now.bytes += added - (replaced ?? 0);
    if (replaced !== undefined && added === 0) now.count -= 1;
    if (replaced === undefined && added > 0) now.count += 1;
  }

  requests(): { method: string; params: JsonObject }[] {
    return this.#store.entries("sticky").map(({ name, value }) => {
      const params = JSON.parse(value) as JsonObject;
      return name.startsWith(`${SUBSCRIBE} `)
        ? { method: SUBSCRIBE, params: { uri: uriOf(name), ...params } }
        : { method: name, params };
    });
  }

  #total(): EntryTotal {
    return (this.#held ??= this.#store.entryTotal("sticky"));
  }
}
