/** Responses of the transport that are not streams. @module */
import { errorBody, type Failure } from "../jsonrpc/failures.ts";
import type { RequestId } from "../jsonrpc/messages.ts";
import { JSON_TYPE } from "./headers.ts";

type Headers = Readonly<Record<string, string>>;

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

/** An answer without a body. */
export function empty(status: 202 | 204, headers: Headers = {}): Response {
  return new Response(null, { status, headers });
}
