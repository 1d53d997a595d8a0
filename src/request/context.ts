/** What the factory is told of a request that belongs to no session, of whichever era. @module */
import { createNotifier } from "../changes.ts";
import type { StatelessCall } from "../host.ts";
import type { JsonRpcMessage } from "../jsonrpc/messages.ts";
import type { StatelessContext } from "../session/server/factory.ts";
import { userOf } from "../user/user.ts";

/** What of a request its server is built for. */
export interface CallFor<Env> extends Pick<
  StatelessCall<Env>,
  "env" | "request" | "caller" | "bus" | "userChannel" | "waitUntil" | "payload"
> {
  readonly settings: Pick<StatelessCall<Env>["settings"], "maxUserStateBytes">;
}

/** The factory's context for one request. */
export function contextOf<Env, Era extends "request" | "modern" | "task">(
  era: Era,
  {
    env,
    request,
    payload,
    caller,
    bus,
    userChannel,
    waitUntil,
    settings: { maxUserStateBytes },
  }: CallFor<Env>,
): StatelessContext<Env> & { readonly era: Era } {
  const { principal, topic, authInfo } = caller;
  const user = userOf({ principal, topic, channel: userChannel, maxUserStateBytes });
  return {
    era,
    env,
    request,
    message: payload.messages[0] as JsonRpcMessage,
    principal,
    authInfo,
    waitUntil,
    ...(bus && { notify: createNotifier((change) => bus.publish(change)) }),
    ...(user && { user }),
  };
}
