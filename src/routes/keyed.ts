/**
 * Sessions that are found by a key: for clients that keep no session id. What the key is, the user's `sessionKey`
 * says; it is a claim of the client's, so it counts only beside a principal, and never leads to another's session.
 * @module
 */
import type { Env } from "hono";
import { DEFAULT_TOPIC } from "../changes.ts";
import { isThenable } from "../guard.ts";
import { hookFailed } from "../hooks.ts";
import type { Keyed, SessionRef } from "../host.ts";
import { PROTOCOL_VERSION, single } from "../http/headers.ts";
import * as failures from "../jsonrpc/failures.ts";
import { isObject, isResponse, type JsonRpcMessage, type Payload } from "../jsonrpc/messages.ts";
import { sessionOfQuestion } from "../jsonrpc/questions.ts";
import { UNNAMED_VERSION } from "../jsonrpc/versions.ts";
import { nameOfParts } from "../names.ts";
import type { Admitted, Site } from "./context.ts";
import type { KeyedRequest } from "./session-key.ts";

/** Longest key, in characters. */
const MAX_KEY = 1024;

/** One session for each conversation of ChatGPT, which says in each call which one it is (`_meta["openai/session"]`). */
export function openaiConversation({ message }: Pick<KeyedRequest, "message">): string | undefined {
  const meta = message !== undefined && "method" in message ? message.params?.["_meta"] : undefined;
  const key = isObject(meta) ? meta["openai/session"] : undefined;
  return typeof key === "string" ? key : undefined;
}

/** One session for each principal, whatever its clients and conversations. */
export function perPrincipal(): string {
  return "";
}

const TORN = { failure: failures.invalidRequest("the messages of the batch belong to different sessions") };

/** A session that a request without a session id belongs to, and how it begins where it is not there yet. */
export interface Found {
  readonly ref: SessionRef;
  readonly keyed: Keyed;
}

/** The session of a request without an id; undefined where it belongs to none, and the failure where nobody can tell. */
export async function findKeyed<E extends Env>(
  site: Site<E>,
  { c, request, caller }: Admitted<E>,
  payload: Payload | undefined,
): Promise<Found | { failure: failures.Failure } | undefined> {
  const { sessionKey, host, settings } = site;
  const { principal } = caller;
  if (sessionKey === undefined || principal === undefined) return undefined;
  const keyed: Keyed = { version: single(request.headers.get(PROTOCOL_VERSION)) ?? UNNAMED_VERSION };
  const messages = payload?.messages ?? [undefined];
  const named = new Set(messages.map(answeredSession));
  named.delete(undefined);
  const [asked, ...others] = named;
  if (others.length > 0) return TORN;
  const known = asked === undefined ? undefined : host.find(asked, c.env);
  let key: unknown;
  try {
    // Each of a batch is asked about: it must not carry what is one conversation's into another.
    for (const message of messages) {
      // It says whose it is.
      if (known !== undefined && answeredSession(message) !== undefined) continue;
      const own: unknown = sessionKey({ principal, message, request, c });
      if (own === undefined) continue;
      if (isThenable(own)) {
        // One that rejects, with nobody to hear it, ends a process.
        own.then(undefined, () => {});
        throw new TypeError("sessionKey must return a string or nothing, not a promise");
      }
      if (key !== undefined && own !== key) return TORN;
      key = own;
    }
  } catch (error) {
    hookFailed(settings.emit, "sessionKey", error);
    return { failure: failures.internalError };
  }
  if (key === undefined) return known && { ref: known, keyed };
  if (typeof key !== "string" || key.length > MAX_KEY || !key.isWellFormed()) {
    const why = `the session key is no text of at most ${MAX_KEY} characters without half surrogates`;
    return { failure: failures.invalidRequest(why) };
  }
  const name = await nameOfParts("session", caller.topic ?? DEFAULT_TOPIC, principal, key);
  const ref = host.named(name, c.env);
  return known === undefined || known.id === ref.id ? { ref, keyed } : TORN;
}

/** The session whose server asked what this answers: answers carry no key of their own. */
function answeredSession(message: JsonRpcMessage | undefined): string | undefined {
  return message !== undefined && isResponse(message) ? sessionOfQuestion(message.id) : undefined;
}
