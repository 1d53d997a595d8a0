/**
 * The wire between the edge and a session's object: what crosses, and in which form. Here are the requests;
 * a standing stream's is in `wire-attach.ts`, and what comes back is in `wire-reply.ts`.
 *
 * | call      | request                                             | replies                                            |
 * | --------- | --------------------------------------------------- | -------------------------------------------------- |
 * | `post`    | RPC method, a string: version, space, envelope,     | a string: version, space, kind (`json`, `opened`,  |
 * |           | line break, the client's text                       | `accepted`, `refused`), line break, body; or, for  |
 * |           |                                                     | a stream or a long text, the Response below        |
 * | `post`    | POST, envelope, line break, the client's text: what | 200 the JSON answer (`holdfast-opened: 1` where it |
 * |           | is too long for the method, and to an object of     | opened the session) · 202 accepted · 206 a stream, |
 * |           | version 0                                           | `holdfast-place` says from where · 409 refused     |
 * | `attach`  | GET, upgrade, `holdfast-attach`: the envelope, or   | 101 with the link · 409 refused · 503 the envelope |
 * |           | `prepared:` and its name                            | that was prepared is not there                     |
 * | `prepare` | POST, the name, line break, the envelope of an      | 204                                                |
 * |           | attach that is too long for a header                |                                                    |
 * | `end`     | POST, envelope                                      | 204 ended · 409 refused                            |
 * | `adopt`   | POST, the seed as JSON; from another session        | 204                                                |
 * | `live`    | GET; from another session                           | 204 can be used · 404 cannot                       |
 * | `notify`  | POST, changes as JSON; from the hub                 | 200 the names that the hub can forget · 404 gone   |
 * | `terminate` | POST, the principal whose index the id is from, or nothing; from the server's side | 204 ended · 404 there was none (of version 0: not ended) |
 * | `guest` | POST, envelope (`caller` where it is somebody's request), line break, what is asked as JSON | 200 its reply as JSON |
 * | `index` | to a principal's index: GET; PUT and DELETE, a session's id | 200 the ids as JSON · 204 |
 * | `note` | to an index: POST, a session with what is known of it, and the index's place in the directory | 204 (501 of an earlier version, which takes PUT) |
 * | `page` | to an index or the directory: POST, from where and how many | 200 pairs of name and value as JSON |
 * | `directory` | to the directory: POST, a place, and whether it is held | 204 |
 * | `left` | POST, a stream, its connection, and the last event that its client was handed: of a POST's stream that was cut off, or ends with its token | 204 (501 of an earlier version) |
 * | `inspect` | GET; from the server's side | 200 the session's detail as JSON · 404 there is none |
 *
 * A refusal (409, `holdfast-refused: 1`) is the failure to answer the client with; with 202 the header names the status of one
 * that the session has said on its stream, as the body of `accepted` does. Who cannot read a request
 * refuses it with a 503, untouched, in place of the version `any`: that reply reads the same in all of them; who does not know its path answers 501. Who cannot read a reply, or gets
 * another status than those above, treats it as the death of the object that it came from.
 *
 * Why `post` is a method: a string there and back takes 40 µs of processor time less than a `fetch`
 * (× 1.12 to 1.14 calls). Objects and streams take more by RPC than by `fetch`; a stream comes as a Response
 * all the same (some 45 µs more, once for the call), since a second call for it would cost more than that, and
 * would leave a moment in which neither side holds what was sent. Cancellation, pace, the object's death and its
 * sleep are as with `fetch`.
 * @module
 */
import type { Call, Caller, Keyed, TransportKind } from "../src/host.ts";
import { isObject, type JsonObject } from "../src/jsonrpc/messages.ts";
import { parsePayload, type Unreadable as Refused } from "../src/jsonrpc/parse.ts";
import type { UserRequest } from "../src/user/store.ts";
import type { Seed } from "../src/session/ports.ts";
import { afterVersion, fits, parseJson, WIRE } from "./wire-version.ts";
import { callerFrom, type PlainCaller, plainCaller } from "./wire-caller.ts";

/** Paths of the object; the host part of the URL means nothing. */
export const PATHS = {
  post: "https://session/post",
  attach: "https://session/attach",
  prepare: "https://session/prepare",
  end: "https://session/end",
  adopt: "https://session/adopt",
  live: "https://session/live",
  notify: "https://session/notify",
  /** A client's connection was cut off, or ends with its token: how far it came. */
  left: "https://session/left",
  /** Ends the session on its server's word. */
  terminate: "https://session/terminate",
  /** The object is the index of a principal's sessions, and holds none. */
  index: "https://session/index",
  note: "https://session/note",
  page: "https://session/page",
  /** The object is the directory of the indexes. */
  directory: "https://session/directory",
  /** The session as it is, for whoever runs the server. */
  inspect: "https://session/inspect",
  /** The object is a user's, and holds no session. */
  user: "https://session/user",
  /** The object is a guest's, and holds no session. */
  guest: "https://session/guest",
} as const;

/** Most characters of a string that crosses by RPC, which the runtime refuses from 32 MiB on. */
export const MOST_RPC = 1_048_576;

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

/** A call as it crosses by RPC. */
export function encodeMessage(encoded: string): string {
  return `${WIRE} ${encoded}`;
}

/** @throws {Unreadable} */
export function decodeMessage(message: string, maxInitializeBytes: number): Call | Refused {
  return decodeCall(afterVersion(message), maxInitializeBytes);
}

/** @throws {Unreadable} */
export function decodeUserRequest(json: string): UserRequest {
  const value = parseJson(json);
  fits(isObject(value), "the request");
  const { op, name, value: stored, ifVersion } = value;
  const isNamed = typeof name === "string";
  const isPut = isNamed && typeof stored === "string";
  fits(ifVersion === undefined || Number.isSafeInteger(ifVersion), "the version to replace");
  fits(
    op === "keys" ||
      op === "erase" ||
      ((op === "get" || op === "delete") && isNamed) ||
      (op === "put" && isPut),
    "what is asked of the user's state",
  );
  return value as unknown as UserRequest;
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

/** How far a client came that was cut off; see `left` in the table. */
export interface Left {
  readonly stream: number;
  readonly connectionId: string;
  readonly seq: number;
}

/** What the edge says of it. */
export const encodeLeft = (left: Left): string => JSON.stringify(left);

/** @throws {Unreadable} */
export async function decodeLeft(request: Request): Promise<Left> {
  const left = parseJson(await request.text());
  fits(isObject(left), "how far a client came");
  const { stream, connectionId, seq } = left;
  fits(Number.isSafeInteger(stream) && Number.isSafeInteger(seq), "how far a client came");
  fits(typeof connectionId === "string", "the connection");
  return { stream: stream as number, connectionId, seq: seq as number };
}

/** @throws {Unreadable} */
export async function decodeSeed(request: Request): Promise<Seed> {
  const seed = parseJson(await request.text());
  fits(isObject(seed), "the seed");
  const { principal, version, initialize } = seed;
  fits(principal === null || typeof principal === "string", "the seed's principal");
  fits(typeof version === "string", "the seed's version");
  fits(initialize === null || typeof initialize === "string", "the seed's initialize");
  return { principal, version, initialize };
}

/** The principal whose index a session is in, for `terminate`; undefined where that is not known. */
export async function decodePrincipal(request: Request): Promise<string | undefined> {
  // No principal is empty.
  return (await request.text()) || undefined;
}
