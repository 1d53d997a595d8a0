/** A client's `initialize`, with a server that is made for it. @module */
import type { Call, Refusal } from "../../host.ts";
import type { JsonRpcRequest } from "../../jsonrpc/messages.ts";
import { inTime } from "../../within.ts";
import { createExtra } from "../server/extra.ts";
import type { Reply } from "../server/reply.ts";
import { startFailed, type Waker } from "../server/waker.ts";
import { JsonExchange } from "./exchange.ts";
import type { SessionSide } from "./side.ts";
import type { Standalone } from "./standalone.ts";

/** What an `initialize` is handed on with. */
export interface OpeningParts {
  readonly side: Pick<SessionSide, "options">;
  readonly waker: Waker;
  readonly standalone: Standalone;
}

/** The answer to it. Rejects where the server does not start, or does not answer within `initializeTimeoutMs`. */
export async function openWith(
  { payload, caller }: Call,
  { side, waker, standalone }: OpeningParts,
): Promise<Reply | Refusal> {
  const { id, settings, now, quick } = side.options;
  const begun = now();
  const server = await waker.wake(undefined);
  const [request] = payload.messages as [JsonRpcRequest];
  const lacking = await server.challenge([request], caller.authInfo);
  if (lacking !== undefined) return { kind: "refused", failure: lacking };
  const exchange = new JsonExchange(
    {
      quick,
      maxHeld: settings.maxEventBytes,
      sendStandalone: (json, answers) => standalone.send(json, answers),
      asideStandalone() {},
      lasting() {},
    },
    { requests: [request], batch: false, rerun: true },
  );
  server.request(request, exchange, createExtra(caller), Infinity);
  const limit = settings.initializeTimeoutMs;
  const left = Math.min(limit, Math.max(0, begun + limit - now()));
  return inTime(Promise.resolve(exchange.reply()), left, () => {
    const late = new Error(`the server did not answer initialize within ${limit} ms`);
    startFailed(settings, id, late);
    return late;
  });
}
