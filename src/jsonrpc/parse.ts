/**
 * The one place that parses a body, on each side of the way to a session.
 * @module
 */
import { faultOf, rebuilt, requestIdOf } from "./envelope.ts";
import * as failures from "./failures.ts";
import { isObject, isRequest, type JsonObject, type Payload, type RequestId } from "./messages.ts";
import { MOST_DEPTH, weigh } from "./weight.ts";

/** The most messages one batch may hold. */
export const MAX_BATCH = 100;

/** A body that was turned away, and the id of the one request in it, where that could be read. */
export interface Unreadable {
  readonly failure: failures.Failure;
  readonly id: RequestId | null;
}

/**
 * Parses a body: the one door by which messages come in, on each side of the way to a session. Each is checked
 * whole and built anew of the members that the protocol knows. What is inside `params` and `result` is the
 * server's business, but for what the SDKs' schemas of the envelope look at there (`_meta`), and passes untouched.
 *
 * A batch with a bad entry is refused as a whole: its answers come together, and nothing of it was run.
 * @param maxInitializeBytes the most that the params of `initialize` may have
 */
export function parsePayload(
  text: string,
  maxInitializeBytes: number = Infinity,
): { readonly payload: Payload } | Unreadable {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { failure: /\S/.test(text) ? failures.parseError : failures.noBody, id: null };
  }
  const { bytes, depth } = weigh(text);
  if (depth > MOST_DEPTH) {
    const failure = failures.invalidRequest(`the message nests deeper than ${MOST_DEPTH} levels`);
    return { failure, id: requestIdOf(body) };
  }
  if (Array.isArray(body)) return parseBatch(body, bytes, maxInitializeBytes);
  const failure = faultOf(body, maxInitializeBytes);
  if (failure !== undefined) return { failure, id: requestIdOf(body) };
  const messages = [rebuilt(body as JsonObject)];
  return { payload: bytes === 0 ? { batch: false, messages } : { batch: false, messages, weight: bytes } };
}

function parseBatch(
  entries: readonly unknown[],
  weight: number,
  maxInitializeBytes: number,
): { readonly payload: Payload } | Unreadable {
  const refused = (why: string): Unreadable => ({ failure: failures.invalidRequest(why), id: null });
  if (entries.length === 0) return refused("a batch must not be empty");
  if (entries.length > MAX_BATCH) return refused(`a batch holds at most ${MAX_BATCH} messages`);
  for (const [index, entry] of entries.entries()) {
    const fault = faultOf(entry, maxInitializeBytes);
    if (fault !== undefined) return { failure: failures.inBatch(fault, index + 1), id: null };
    if (isObject(entry) && entry["method"] === "initialize" && entry["id"] !== undefined) {
      return refused("initialize must not be part of a batch");
    }
  }
  return {
    payload: { batch: true, messages: (entries as JsonObject[]).map(rebuilt), ...(weight > 0 && { weight }) },
  };
}

/** The id under which a refusal answers: the single request's; null for anything else. */
export function refusalId({ batch, messages: [message] }: Payload): RequestId | null {
  return !batch && message !== undefined && isRequest(message) ? message.id : null;
}
