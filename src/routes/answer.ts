/** Turns what a session answered into the HTTP response. @module */
import type { Env } from "hono";
import { deliver } from "../edge/deliver.ts";
import type { Answer, Attached, Keyed, Refusal, SessionRef, TransportKind } from "../host.ts";
import { SESSION_ID, SSE_HEADERS } from "../http/headers.ts";
import { empty, failed, json } from "../http/respond.ts";
import type { RequestId } from "../jsonrpc/messages.ts";
import { frame } from "../sse/frames.ts";
import type { Admitted, Site } from "./context.ts";

export interface Answering<E extends Env> {
  readonly site: Site<E>;
  readonly admitted: Admitted<E>;
  readonly ref: SessionRef;
  /** See {@link namedOnDemand}. */
  readonly connectionId: () => string;
  readonly transport: TransportKind;
  /**
   * True for a stream that a GET opened: it ends with the token that was shown. A POST's lasts to its answer, which
   * the token was good for as it was asked: SDK v1, told 401 as it resumes, comes back without its place, and would
   * wait for the answer in vain.
   */
  readonly isStanding?: boolean;
  /** For a session that is found by its key. */
  readonly keyed?: Keyed;
  /** The id under which a refusal answers. */
  readonly id?: RequestId | null;
  /** Written before the stream's first frame. */
  readonly prelude?: string;
}

/** Names the client's connection where somebody asks for it: most calls are answered without a stream. */
export function namedOnDemand(): () => string {
  let name: string | undefined;
  return () => (name ??= crypto.randomUUID());
}

/** @param only `sse` for a client that reads nothing but event streams */
export function respond<E extends Env>(answer: Answer | Attached, to: Answering<E>, only?: "sse"): Response {
  const { headers } = to.admitted;
  switch (answer.kind) {
    case "accepted":
      return empty(202, headers);
    case "refused":
      return refuse(answer, headers, to.id);
    case "json": {
      // A session that is found by its key is named to nobody: its client would keep no id.
      const withId =
        answer.opened && to.keyed === undefined ? { ...headers, [SESSION_ID]: to.ref.id } : headers;
      if (only === undefined) return json(answer.body, withId);
      return new Response(frame({ event: "message", data: answer.body }), {
        headers: { ...withId, ...SSE_HEADERS },
      });
    }
    case "stream":
      return new Response(stream(answer.link, to), { headers: { ...headers, ...SSE_HEADERS } });
  }
}

export function refuse(
  refusal: Refusal,
  headers: Readonly<Record<string, string>>,
  id: RequestId | null = null,
): Response {
  const { failure, successor } = refusal;
  return failed(failure, successor === undefined ? headers : { ...headers, [SESSION_ID]: successor }, id);
}

function stream<E extends Env>(
  link: Extract<Attached, { kind: "stream" }>["link"],
  to: Answering<E>,
): ReadableStream<Uint8Array> {
  const { site, admitted, ref, transport, keyed, prelude } = to;
  const { caller, request } = admitted;
  const connectionId = to.connectionId();
  let dials = 0;
  return deliver({
    connectionId,
    sessionId: ref.id,
    settings: site.settings,
    signal: request.signal,
    link,
    endsWith: to.isStanding === true ? caller.authInfo : undefined,
    ...(prelude === undefined ? {} : { prelude }),
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
      }),
  });
}
