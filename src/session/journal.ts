/**
 * Sticky requests: those that change what a server instance does from then on. They are journalled
 * once they have succeeded, compacted to the last word, and replayed into the next instance.
 * @module
 */
import type { JsonObject, JsonRpcRequest } from "../jsonrpc/messages.ts";
import type { SessionStore } from "./store.ts";

export const SUBSCRIBE = "resources/subscribe";
const UNSUBSCRIBE = "resources/unsubscribe";
const SET_LEVEL = "logging/setLevel";

export interface Journal {
  /** True where one more subscription would exceed the limit. */
  isFull(request: JsonRpcRequest): boolean;
  /** Records a request that has succeeded. */
  record(request: JsonRpcRequest): void;
  /** What a new instance must be told, in order. */
  replay(): { method: string; params: JsonObject }[];
}

/** The entry that a resource's subscription is journalled under. */
export function subscriptionName(uri: string): string {
  return `${SUBSCRIBE} ${uri}`;
}

/** True where the session's client has subscribed to the resource. */
export function isSubscribed(store: SessionStore, uri: string): boolean {
  return store.entry("sticky", subscriptionName(uri)) !== undefined;
}

export function createJournal(store: SessionStore, maxSubscriptions: number): Journal {
  const nameOf = (request: JsonRpcRequest): string | undefined => {
    if (request.method === SET_LEVEL) return SET_LEVEL;
    if (request.method !== SUBSCRIBE && request.method !== UNSUBSCRIBE) return undefined;
    const uri = request.params?.["uri"];
    return typeof uri === "string" ? subscriptionName(uri) : undefined;
  };

  return {
    isFull(request) {
      if (request.method !== SUBSCRIBE) return false;
      const name = nameOf(request);
      const held = store.entries("sticky").filter((entry) => entry.name.startsWith(SUBSCRIBE));
      return held.length >= maxSubscriptions && !held.some((entry) => entry.name === name);
    },
    record(request) {
      const name = nameOf(request);
      if (name === undefined) return;
      if (request.method === UNSUBSCRIBE) store.deleteEntry("sticky", name);
      else store.putEntry("sticky", name, JSON.stringify(request.params ?? {}));
    },
    replay: () =>
      store.entries("sticky").map(({ name, value }) => ({
        method: name.startsWith(SUBSCRIBE) ? SUBSCRIBE : name,
        params: JSON.parse(value) as JsonObject,
      })),
  };
}
