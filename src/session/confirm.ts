/**
 * What a server has granted and the transport has to bear out, before the answer leaves: a subscription is
 * one only once the hub has been asked to tell of it. The server comes first, so that nothing is asked of
 * the hub that the server refuses; the answer comes last, so that nothing is missed that is published after it.
 * @module
 */
import { notWatched } from "../jsonrpc/failures.ts";
import type { JsonObject, JsonRpcRequest, JsonRpcResponse } from "../jsonrpc/messages.ts";
import type { Interest } from "./interest.ts";
import { isSubscribed, SUBSCRIBE, UNSUBSCRIBE } from "./journal.ts";
import type { SessionStore } from "./store.ts";

export interface Confirmed {
  /** The answer to give. */
  readonly response: JsonRpcResponse;
  /** What the server is asked so that it has not happened for it either. */
  readonly undo?: { readonly method: string; readonly params: JsonObject } | undefined;
}

/** Undefined where the answer can leave as it is, which all but few can: it is asked for each. */
export type Confirm = (request: JsonRpcRequest, response: JsonRpcResponse) => Promise<Confirmed> | undefined;

export function createConfirm(store: SessionStore, interest: Interest): Confirm {
  const watched = async (uri: string, response: JsonRpcResponse): Promise<Confirmed> => {
    if (await interest.subscribing(uri)) return { response };
    // One that stood before stands: what the hub has it keeps.
    const undo = isSubscribed(store, uri) ? undefined : { method: UNSUBSCRIBE, params: { uri } };
    return { response: notWatched(response.id), undo };
  };

  return ({ method, params }, response) => {
    if (method !== SUBSCRIBE && method !== UNSUBSCRIBE) return undefined;
    const uri = params?.["uri"];
    if (response.error !== undefined || typeof uri !== "string") return undefined;
    if (method === SUBSCRIBE) return watched(uri, response);
    interest.unsubscribed(uri);
    return undefined;
  };
}
