/**
 * What is asked of a session, or a guest, as it crosses to where that is: an object, or another process. A change to any
 * of it is one to the wire's version, if who knows the former could take it for something else.
 * @module
 */
import type { Call, Caller, Keyed, TransportKind } from "../host.ts";
import { isObject, type JsonObject } from "../jsonrpc/messages.ts";
import { parsePayload, type Unreadable as Refused } from "../jsonrpc/parse.ts";
import { callerFrom, type PlainCaller, plainCaller } from "./caller.ts";
import { fits, parseJson } from "./version.ts";

/** An envelope as JSON: the caller crosses with its headers, without its request. */
export function pack<T extends { readonly caller: Caller }>({ caller, ...rest }: T): string {
  return JSON.stringify({ ...rest, caller: plainCaller(caller) });
}

/**
 * What an envelope holds is checked by whoever unpacks it; the caller is checked here.
 * @throws {Unreadable}
 */
export function unpack(json: string): JsonObject & { caller: Caller } {
  const envelope = parseJson(json);
  fits(isObject(envelope), "the envelope");
  const { caller } = envelope;
  fits(isObject(caller), "the caller");
  const { headers, principal, topic } = caller;
  fits(principal === undefined || typeof principal === "string", "the principal");
  fits(topic === undefined || typeof topic === "string", "the topic");
  fits(typeof caller["url"] === "string", "the caller's URL");
  fits(isObject(headers), "the caller's headers");
  for (const name in headers) fits(typeof headers[name] === "string", "the caller's headers");
  return Object.assign(envelope, { caller: callerFrom(caller as unknown as PlainCaller) });
}

/**
 * How a session that is found by its key begins.
 * @throws {Unreadable}
 */
export function keyedIn({ keyed }: JsonObject): Keyed | undefined {
  fits(keyed === undefined || (isObject(keyed) && typeof keyed["version"] === "string"), "the key");
  return keyed as Keyed | undefined;
}

/** True for the name of a transport. */
export const isTransport = (value: unknown): value is TransportKind =>
  value === "streamable" || value === "http+sse";

/** Envelope, line break, the client's text: it is parsed once on each side and never copied into JSON. */
export function encodeCall(call: Call): string {
  const { opens, keyed, transport, caller, accept, noRetry, needsStream, connectionId, text } = call;
  const envelope = {
    opens,
    keyed,
    transport,
    caller,
    accept,
    // Of most clients nothing is said.
    noRetry: noRetry || undefined,
    needsStream: needsStream || undefined,
    connectionId: connectionId(),
  };
  return `${pack(envelope)}\n${text}`;
}

/** What is said of clients for whom something is done, or left out: an edge of an earlier version says nothing. */
export function quirksIn({ noRetry, needsStream }: JsonObject): Pick<Call, "noRetry" | "needsStream"> {
  fits(noRetry === undefined || typeof noRetry === "boolean", "noRetry");
  fits(needsStream === undefined || typeof needsStream === "boolean", "needsStream");
  return { noRetry, needsStream };
}

/**
 * The call, through the same door as at the edge: as a rule it passes, since the edge has let it in. The two
 * may be of different versions for a while, as a deploy spreads; then the object's word counts.
 * @throws {Unreadable}
 */
export function decodeCall(body: string, maxInitializeBytes: number): Call | Refused {
  const split = body.indexOf("\n");
  fits(split > 0, "the call");
  const envelope = unpack(body.slice(0, split));
  const { opens, transport, caller, accept, connectionId } = envelope;
  const keyed = keyedIn(envelope);
  const { noRetry, needsStream } = quirksIn(envelope);
  fits(typeof opens === "boolean" && isTransport(transport), "the call");
  fits(accept === "any" || accept === "json", "what the client accepts");
  fits(typeof connectionId === "string", "the connection");
  const text = body.slice(split + 1);
  const parsed = parsePayload(text, maxInitializeBytes);
  if ("failure" in parsed) return parsed;
  const { payload } = parsed;
  return {
    opens,
    keyed,
    transport,
    caller,
    accept,
    noRetry,
    needsStream,
    connectionId: () => connectionId,
    text,
    payload,
  };
}

/** What is asked of a guest, with whose request it is about. */
export function encodeGuestRequest(request: JsonObject, caller: Caller | undefined): string {
  return `${caller === undefined ? "" : pack({ caller })}\n${JSON.stringify(request)}`;
}

/** @throws {Unreadable} */
export function decodeGuestRequest(body: string): { request: JsonObject; caller: Caller | undefined } {
  const split = body.indexOf("\n");
  fits(split >= 0, "what is asked of a guest");
  const request = parseJson(body.slice(split + 1));
  fits(isObject(request), "what is asked of a guest");
  return { request, caller: split === 0 ? undefined : unpack(body.slice(0, split)).caller };
}

/** The envelope of a DELETE. */
export function encodeEnd(caller: Caller): string {
  return pack({ caller });
}

/** @throws {Unreadable} */
export async function decodeEnd(request: Request): Promise<Caller> {
  return unpack(await request.text()).caller;
}
