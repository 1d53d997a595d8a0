/**
 * What a server says of itself as it is initialised, and what follows from it: that a deploy has changed it under a
 * session that lives on, and that subscriptions it promises are kept by the transport where it has no handler.
 * @module
 */
import { METHOD_NOT_FOUND } from "../../jsonrpc/failures.ts";
import {
  isObject,
  type JsonObject,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from "../../jsonrpc/messages.ts";
import { markOfText } from "../../names.ts";
import { SUBSCRIBE, UNSUBSCRIBE } from "./journal.ts";

/** Kinds of lists that a client may hold. */
const LISTS = ["tools", "prompts", "resources"] as const;

/**
 * A short mark of an InitializeResult: of name and version, capabilities and instructions. Equal results have equal
 * marks; that two different ones have the same is one chance in 2^53, and costs a hint.
 */
export function markOf({ serverInfo, capabilities, instructions }: JsonObject): string {
  return markOfText(JSON.stringify([serverInfo, capabilities, instructions]));
}

/** The notifications that have a client list anew what this server promises to tell of. */
export function listsChanged({ capabilities }: JsonObject): JsonRpcNotification[] {
  if (!isObject(capabilities)) return [];
  return LISTS.filter((kind) => {
    const capability = capabilities[kind];
    return isObject(capability) && capability["listChanged"] === true;
  }).map((kind) => ({ jsonrpc: "2.0", method: `notifications/${kind}/list_changed` }));
}

/** True where the server promises to keep subscriptions. */
export function promisesSubscriptions({ capabilities }: JsonObject): boolean {
  const resources = isObject(capabilities) ? capabilities["resources"] : undefined;
  return isObject(resources) && resources["subscribe"] === true;
}

/** The answer to a subscription that the server promises and has no handler for: the transport keeps it. */
export function subscribedInstead(
  { method }: JsonRpcRequest,
  { id, error }: JsonRpcResponse,
): JsonRpcResponse | undefined {
  if (method !== SUBSCRIBE && method !== UNSUBSCRIBE) return undefined;
  return error?.code === METHOD_NOT_FOUND ? { jsonrpc: "2.0", id, result: {} } : undefined;
}
