/**
 * What ends a call of the stateless era in its server's place: an answer that cannot be sent, which the SDK
 * reports and then forgets, and time.
 * @module
 */
import { McpServer, type Server } from "@modelcontextprotocol/server";
import type { Watch } from "../endings.ts";
import type { StatelessCall } from "../host.ts";
import { runHook } from "../hooks.ts";
import { sessionEnded, timedOut, unserialisable } from "../jsonrpc/failures.ts";
import { isRequest, type JsonRpcMessage, type JsonRpcResponse, type RequestId } from "../jsonrpc/messages.ts";
import {
  type CallFailed,
  callFailed,
  isAnswerLost,
  toolThrew,
  withoutPayload,
} from "../session/server/reports.ts";
import { hearThrows, type OnThrown } from "../session/server/throws.ts";
import { LONGEST_TIMER_MS } from "../within.ts";
import type { SeenCall } from "./seen.ts";

/** The end of one call, if its server does not bring it. */
export interface CallEnd {
  /** Brings the answer, as JSON, where the server's will not come. */
  readonly instead: Promise<string>;
  /** Its principal's being shut out; undefined where nobody would say so. A call is answered by `instead` then. */
  readonly watch: Watch | undefined;
  /** The call has a server. */
  served(server: McpServer | Server): void;
  /** The call is over. */
  stop(): void;
}

/** What has the hooks of a server, and its handlers. */
export function hooksOf(server: McpServer | Server): Server {
  return server instanceof McpServer ? server.server : server;
}
type Ending = Pick<StatelessCall, "payload" | "settings" | "caller" | "endings" | "since">;

/** Watches over the call from now on, for `maxCallMs` where that is set. */
export function callEnd({ payload, settings, caller, endings, since }: Ending, seen: SeenCall): CallEnd {
  const { emit, maxCallMs } = settings;
  const { principal } = caller;
  const watch = principal === undefined ? undefined : endings?.watch(principal, since);
  const message = payload.messages[0] as JsonRpcMessage;
  let hooks: Server | undefined;
  let isOver = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let bring: (json: string) => void = () => {};
  const instead = new Promise<string>((resolve) => (bring = resolve));

  const stop = (): void => {
    isOver = true;
    watch?.stop();
    if (timer !== undefined) clearTimeout(timer);
  };

  /** @param told what the operator is told */
  const end = (
    answer: (id: RequestId) => JsonRpcResponse,
    told?: Pick<CallFailed, "reason" | "message">,
  ): void => {
    if (isOver || !isRequest(message)) return;
    stop();
    if (told !== undefined) callFailed(emit, { session: undefined, request: message, ...told });
    // A turn later: what the server said just before is on its way through the SDK's stream, and comes first.
    setTimeout(() => {
      const response = answer(message.id);
      seen.answered(response);
      bring(JSON.stringify(response));
      // Closing is cancellation here.
      hooks?.close().catch(() => {});
    }, 0);
  };

  // A stream of changes is no call: it lasts as long as its client listens.
  if (isRequest(message) && message.method !== "subscriptions/listen") {
    const late = (): void =>
      end(timedOut, { reason: "timeout", message: "the server did not answer in time" });
    if (maxCallMs > 0) timer = setTimeout(late, Math.min(maxCallMs, LONGEST_TIMER_MS));
    void watch?.ended.then(() => end(sessionEnded));
  }

  return {
    instead,
    watch,
    stop,
    served(server) {
      const served = hooksOf(server);
      hooks = served;
      seen.served(served);
      const tool =
        isRequest(message) && message.method === "tools/call" ? message.params?.["name"] : undefined;
      const threw: OnThrown = (name, error) => toolThrew(settings, { session: undefined, tool: name }, error);
      if (typeof tool === "string") hearThrows(server, tool, threw);
      const { onclose, onerror } = served;
      const heard = (error: Error): void => {
        const why = withoutPayload(error);
        emit("server.error", { session: undefined, message: why });
        if (isAnswerLost(error)) end(unserialisable, { reason: "unserialisable", message: why });
        if (onerror !== undefined) runHook(emit, "onerror", () => onerror.call(served, error));
      };
      const guarded = (): void => void runHook(emit, "onclose", () => onclose?.call(served));
      Object.assign(served, { onerror: heard, onclose: guarded });
      if (isOver) served.close().catch(() => {});
    },
  };
}
