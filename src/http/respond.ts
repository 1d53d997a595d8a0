/** Responses of the transport that are not streams. @module */
import { errorBody, type Failure, notNowBody } from "../jsonrpc/failures.ts";
import {
  isInitialize,
  isRequest,
  type JsonRpcMessage,
  type Payload,
  type RequestId,
} from "../jsonrpc/messages.ts";
import { refusalId } from "../jsonrpc/parse.ts";
import { toWire } from "../jsonrpc/wire.ts";
import { asideFrame } from "../sse/frames.ts";
import { JSON_TYPE, SSE_HEADERS } from "./headers.ts";
import type { Accepted } from "./negotiate.ts";

type Headers = Readonly<Record<string, string>>;

/** A JSON body, as 200 where no other status is given. */
export function json(body: string, headers: Headers = {}, status: number = 200): Response {
  return new Response(body, { status, headers: { ...headers, "Content-Type": JSON_TYPE } });
}

/**
 * The answer to a message that was turned away: its status, and a JSON-RPC error that says why.
 * @param id the request's, wherever it could be read: some clients wait for it whatever the status says
 */
export function failed(failure: Failure, headers: Headers = {}, id: RequestId | null = null): Response {
  if (failure.status === 204) return empty(204, headers);
  return json(errorBody(failure.error, id), { ...headers, ...failure.headers }, failure.status);
}

/**
 * A JSON-RPC answer that is there as a whole.
 * @param accept what the client reads: JSON, wherever it does. On an event stream the answers to a batch are events of
 *   their own: they MAY come together (2025-03-26, "Sending Messages to the Server"), but the SDKs read one message of
 *   an event.
 */
export function answered(body: string, headers: Headers, accept: Accepted | undefined): Response {
  if (accept !== "sse") return json(body, headers);
  const bodies = body.startsWith("[") ? (JSON.parse(body) as JsonRpcMessage[]).map(toWire) : [body];
  return new Response(bodies.map(asideFrame).join(""), { headers: { ...headers, ...SSE_HEADERS } });
}

/** What an answer needs besides its message. */
interface Addressed {
  readonly headers?: Headers;
  /** As for {@link answered}. */
  readonly accept?: Accepted | undefined;
}

/**
 * The answer to a POST of the session eras that was turned away as a whole, in the one place that decides what
 * becomes of it. Requests that only came at the wrong moment are each answered, with HTTP 200: Python's SDK 1.x
 * ends itself on any error status but 404 (python-sdk PR 2047), Go's before 1.8 on some, and the specification asks for
 * one only where a notification or a response is not accepted (2025-11-25, "Sending Messages to the Server").
 * For those alone, and for `initialize`, whose client has nothing to lose yet, the status says it, with `Retry-After`.
 */
export function turnedAway(failure: Failure, payload: Payload, to: Addressed): Response {
  const ids = isInitialize(payload) ? [] : payload.messages.filter(isRequest).map(({ id }) => id);
  if (ids.length === 0) return failed(failure, to.headers, refusalId(payload));
  return notNow(failure, { ids, batch: payload.batch }, to);
}

/** As {@link turnedAway}, for a body of which no more than the id of its one request is known, if that. */
export function turnedAwayUnread(failure: Failure, id: RequestId | null, to: Addressed): Response {
  return id === null ? failed(failure, to.headers) : notNow(failure, { ids: [id], batch: false }, to);
}

function notNow(
  failure: Failure,
  { ids, batch }: { readonly ids: readonly RequestId[]; readonly batch: boolean },
  { headers = {}, accept }: Addressed,
): Response {
  if (failure.retryAfterMs === undefined) return failed(failure, headers, batch ? null : ids[0]);
  const errors = ids.map((id) => notNowBody(failure, id));
  const response = answered(batch ? `[${errors.join()}]` : errors.join(), headers, accept);
  return standingFor(response, failure.status);
}

/** What a refusal would have been, by the response that is none: operators are told. */
const refusals = new WeakMap<Response, number>();

/** Notes that a response stands for a refusal with this status. */
export function standingFor(response: Response, status: number | undefined): Response {
  if (status !== undefined) refusals.set(response, status);
  return response;
}

/** The status of the refusal that a response stands for whose own says nothing of it. */
export function refusalOf(response: Response): number | undefined {
  return refusals.get(response);
}

/** An answer without a body. */
export function empty(status: 202 | 204, headers: Headers = {}): Response {
  return new Response(null, { status, headers });
}
