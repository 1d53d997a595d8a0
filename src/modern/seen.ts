/**
 * Calls of the stateless era, told as they begin and end. What the server answered is seen as it goes into its
 * transport; what becomes of that, the connection knows.
 * @module
 */
import type { Server } from "@modelcontextprotocol/server";
import type { DisconnectReason, Outcome } from "../events.ts";
import type { StatelessCall } from "../host.ts";
import { isObject, isRequest, type JsonRpcMessage, type JsonRpcResponse } from "../jsonrpc/messages.ts";
import { markOfText } from "../names.ts";
import { clientOf, outcomeOf, watchCalls } from "../watch.ts";

/** One call, as it is seen. */
export interface SeenCall {
  /** Begins it, within `onCall` where there is one. */
  run<T>(body: () => T): T;
  /** The call has this server. */
  served(server: Server): void;
  /** It was answered so, in the server's place too. */
  answered(response: JsonRpcResponse): void;
  /** The answer has gone out at once, with this HTTP status. */
  left(status: number): void;
  /** Its stream is over. */
  over(reason: DisconnectReason): void;
}

/** Where nobody listens, or there is no call to be told of. */
const UNSEEN: SeenCall = { run: (body) => body(), served() {}, answered() {}, left() {}, over() {} };

/** Begins to watch the call; nothing is seen of one that nobody listens for. */
export function seenCall(
  { payload, caller, settings }: Pick<StatelessCall, "payload" | "caller" | "settings">,
  era: "modern" | "task" = "modern",
): SeenCall {
  const request = payload.messages.find(isRequest);
  if (request === undefined) return UNSEEN;
  const watch = watchCalls(settings, () => {
    const meta = request.params?.["_meta"];
    const said = isObject(meta) ? meta : {};
    const client = clientOf(said["io.modelcontextprotocol/clientInfo"]);
    const version = said["io.modelcontextprotocol/protocolVersion"];
    return {
      session: undefined,
      era,
      transport: "streamable",
      // What does not look like one is refused, and not repeated.
      version: typeof version === "string" && /^[\d-]{1,16}$/.test(version) ? version : undefined,
      principal: caller.principal && markOfText(caller.principal),
      client: client?.name,
      clientVersion: client?.version,
    };
  });
  if (watch === undefined) return UNSEEN;
  const watched = watch.began(request, caller.headers);
  let seen: { readonly outcome: Outcome; readonly bytes: number } | undefined;

  const answered = (response: JsonRpcResponse): void => {
    seen ??= { outcome: outcomeOf(response), bytes: lengthOf(response) };
    // A task's answer goes nowhere at once: it is kept.
    if (era === "task") end("ok", false);
  };
  const end = (unseen: Outcome, streamed: boolean): void => {
    const { outcome, bytes } = seen ?? { outcome: unseen, bytes: 0 };
    watched.ended(outcome, { bytes, streamed });
  };

  return {
    run<T>(body: () => T): T {
      let value: T | undefined;
      watched.run(() => void (value = body()));
      // It has run, whatever the hook did.
      return value as T;
    },
    served(server) {
      const { connect } = server;
      server.connect = (transport) => {
        const { send } = transport;
        transport.send = (message, options) => {
          const sent = message as JsonRpcMessage;
          if ("id" in sent && !("method" in sent) && sent.id === request.id) answered(sent);
          return send.call(transport, message, options);
        };
        return connect.call(server, transport);
      };
    },
    answered,
    // A status that says no: turned away, by this entry or by the SDK.
    left: (status) => end(status >= 400 ? "refused" : "ok", false),
    // A subscription is over as either side ends it, and is answered by neither.
    over: (reason) => end(reason === "done" ? "ok" : "cancelled", true),
  };
}

function lengthOf(response: JsonRpcResponse): number {
  try {
    return JSON.stringify(response).length;
  } catch {
    return 0;
  }
}
