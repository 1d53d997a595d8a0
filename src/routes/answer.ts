/** Turns what a session answered into the HTTP response. @module */
import type { Env } from "hono";
import { deliver } from "../edge/deliver.ts";
import type { Answer, Attached, Keyed, Refusal, SessionRef, TransportKind } from "../host.ts";
import { SESSION_ID, SSE_HEADERS } from "../http/headers.ts";
import type { Accepted } from "../http/negotiate.ts";
import { QUIRKS } from "../http/quirks.ts";
import { answered, empty, failed, standingFor, turnedAway } from "../http/respond.ts";
import { interrupted } from "../jsonrpc/call-errors.ts";
import { isRequest, isResponse, type JsonRpcMessage, type Payload } from "../jsonrpc/messages.ts";
import { refusalId } from "../jsonrpc/parse.ts";
import { toWire } from "../jsonrpc/wire.ts";
import type { Settings } from "../options.ts";
import { asideFrame } from "../sse/frames.ts";
import type { Admitted, Site } from "./context.ts";

/** Who is answered, and for what. */
export interface Answering<E extends Env> {
  readonly site: Site<E>;
  readonly admitted: Admitted<E>;
  readonly ref: SessionRef;
  /** See {@link namedOnDemand}. */
  readonly connectionId: () => string;
  readonly transport: TransportKind;
  /** For a session that is found by its key. */
  readonly keyed?: Keyed;
  /** What was POSTed: a refusal answers it. */
  readonly payload?: Payload;
  /** Written before the stream's first frame. */
  readonly prelude?: string;
}

/** Names the client's connection where somebody asks for it: most calls are answered without a stream. */
export function namedOnDemand(): () => string {
  let name: string | undefined;
  return () => (name ??= crypto.randomUUID());
}

/** @param accept what the client reads */
export function respond<E extends Env>(
  answer: Answer | Attached,
  to: Answering<E>,
  accept?: Accepted,
): Response {
  const { headers } = to.admitted;
  switch (answer.kind) {
    case "accepted":
      return standingFor(empty(202, headers), answer.refused);
    case "refused":
      return refuse(answer, to, accept);
    case "json": {
      // A session that is found by its key is named to nobody: its client would keep no id.
      const withId =
        answer.opened && to.keyed === undefined ? { ...headers, [SESSION_ID]: to.ref.id } : headers;
      return answered(answer.body, withId, accept);
    }
    case "stream":
      return new Response(stream(answer.link, to), { headers: { ...headers, ...SSE_HEADERS } });
  }
}

/** The answer to what a session turned away; `payload` is what was POSTed. */
export function refuse<E extends Env>(
  { failure, successor }: Refusal,
  { admitted, transport, payload }: Pick<Answering<E>, "admitted" | "transport" | "payload">,
  accept?: Accepted,
): Response {
  const headers =
    successor === undefined ? admitted.headers : { ...admitted.headers, [SESSION_ID]: successor };
  if (payload === undefined) return failed(failure, headers);
  // In HTTP+SSE a POST's answer is its status: what the session could say on the stream, it has.
  if (transport === "http+sse") return failed(failure, headers, refusalId(payload));
  return turnedAway(failure, payload, { headers, accept });
}

/**
 * What a call is owed whose session has gone from under it: its client waits on a connection that is still there.
 * Nothing where several calls share it, of which some may be answered.
 */
function interruptionOf(
  { messages }: Payload,
  { rerun }: Settings,
): ((last: Uint8Array | undefined) => string) | undefined {
  const [request, ...others] = messages.filter(isRequest);
  if (request === undefined || others.length > 0) return undefined;
  return (last) =>
    last !== undefined && endsInAnswer(decoder.decode(last))
      ? ""
      : asideFrame(toWire(interrupted(request.id, rerun(request))));
}

const decoder = new TextDecoder();
const DATA = "\ndata: ";

/** True where the last of these frames is a response. */
function endsInAnswer(frames: string): boolean {
  const at = frames.lastIndexOf(DATA);
  const data = frames.slice(at + DATA.length).trim();
  return at >= 0 && data !== "" && isResponse(JSON.parse(data) as JsonRpcMessage);
}

function stream<E extends Env>(
  link: Extract<Attached, { kind: "stream" }>["link"],
  to: Answering<E>,
): ReadableStream<Uint8Array> {
  const { site, admitted, ref, transport, keyed, payload, prelude } = to;
  const { caller, request } = admitted;
  const connectionId = to.connectionId();
  const isCall = request.method === "POST";
  /** It is given the whole answer on the connection that it has: it would not come back for the rest. */
  const isWhole = isCall && QUIRKS.wholeCalls(request.headers);
  let dials = 0;
  return deliver({
    connectionId,
    sessionId: ref.id,
    settings: site.settings,
    signal: request.signal,
    link,
    endsWith: isWhole ? undefined : caller.authInfo,
    // Told 401 on two streams at once, the SDKs use one refresh token twice, which may sign their user out. By the time
    // that a call's client comes back, that of the standalone stream has got the next token.
    comesLaterMs: isCall ? 2 * site.settings.retryMs : undefined,
    ...(prelude === undefined ? {} : { prelude }),
    // Over HTTP+SSE an EventSource comes back from either end, and for the rest the stream is the session.
    breaks: !isCall && transport === "streamable" && QUIRKS.breaks(request.headers),
    renews: isWhole,
    owed: isCall && payload !== undefined ? interruptionOf(payload, site.settings) : undefined,
    redial: (lastEventId) =>
      ref.attach({
        opens: false,
        keyed,
        transport,
        caller,
        // A name of its own: the session may hear of the broken link's end after this one is attached.
        connectionId: `${connectionId}.${++dials}`,
        lastEventId,
        redial: true,
        notesPlace: !isCall && QUIRKS.notesPlace(request.headers),
      }),
  });
}
