/**
 * Sticky requests: those that change what a server instance does from then on. They are journalled
 * once they have succeeded, compacted to the last word, and replayed into the next instance.
 * @module
 */
import type { JsonObject, JsonRpcRequest } from "../jsonrpc/messages.ts";
import type { SessionStore } from "./store.ts";

export const SUBSCRIBE = "resources/subscribe";
export const UNSUBSCRIBE = "resources/unsubscribe";
const SET_LEVEL = "logging/setLevel";

/** The entry that a resource's subscription is journalled under. */
export function subscriptionName(uri: string): string {
  return `${SUBSCRIBE} ${uri}`;
}

/** True where the session's client has subscribed to the resource. */
export function isSubscribed(store: SessionStore, uri: string): boolean {
  return store.entry("sticky", subscriptionName(uri)) !== undefined;
}

/** The entry that a sticky request is journalled under; undefined for any other. */
function nameOf(request: JsonRpcRequest): string | undefined {
  if (request.method === SET_LEVEL) return SET_LEVEL;
  if (request.method !== SUBSCRIBE && request.method !== UNSUBSCRIBE) return undefined;
  const uri = request.params?.["uri"];
  return typeof uri === "string" ? subscriptionName(uri) : undefined;
}

/** True where one more subscription would exceed `most`. */
export function isJournalFull(store: SessionStore, request: JsonRpcRequest, most: number): boolean {
  if (request.method !== SUBSCRIBE) return false;
  const name = nameOf(request);
  const held = store.entries("sticky").filter((entry) => entry.name.startsWith(SUBSCRIBE));
  return held.length >= most && !held.some((entry) => entry.name === name);
}

/** Records a request that has succeeded, if it is a sticky one. */
export function recordSticky(store: SessionStore, request: JsonRpcRequest): void {
  const name = nameOf(request);
  if (name === undefined) return;
  if (request.method === UNSUBSCRIBE) store.deleteEntry("sticky", name);
  else store.putEntry("sticky", name, JSON.stringify(request.params ?? {}));
}

/** What a new instance must be told, in order. */
export function stickyRequests(store: SessionStore): { method: string; params: JsonObject }[] {
  return store.entries("sticky").map(({ name, value }) => ({
    method: name.startsWith(SUBSCRIBE) ? SUBSCRIBE : name,
    params: JSON.parse(value) as JsonObject,
  }));
}
