/**
 * What a server has granted and the transport has to bear out, before the answer leaves: a subscription is
 * one only once the hub has been asked to tell of it. The server comes first, so that nothing is asked of
 * the hub that the server refuses; the answer comes last, so that nothing is missed that is published after it.
 * @module
 */
import { notWatched } from "../jsonrpc/failures.ts";
import type { JsonRpcResponse } from "../jsonrpc/messages.ts";
import type { Interest } from "./interest.ts";
import type { Confirm, Confirmed } from "./server/call.ts";
import { isSubscribed, SUBSCRIBE, UNSUBSCRIBE } from "./server/journal.ts";
import type { SessionStore } from "./store/store.ts";

/** Made only where there is a hub: without one nothing is promised. */
export function createConfirm(store: SessionStore, interest: Interest): Confirm {
  return ({ method, params }, response) => {
    if (method !== SUBSCRIBE && method !== UNSUBSCRIBE) return undefined;
    const uri = params?.["uri"];
    if (response.error !== undefined || typeof uri !== "string") return undefined;
    if (method === SUBSCRIBE) return watched(uri, response, { store, interest });
    interest.unsubscribed(uri);
    return undefined;
  };
}

async function watched(
  uri: string,
  response: JsonRpcResponse,
  { store, interest }: { readonly store: SessionStore; readonly interest: Interest },
): Promise<Confirmed> {
  if (await interest.subscribing(uri)) return { response };
  // One that stood before stands: what the hub has it keeps.
  const undo = isSubscribed(store, uri) ? undefined : { method: UNSUBSCRIBE, params: { uri } };
  return { response: notWatched(response.id), undo };
}
