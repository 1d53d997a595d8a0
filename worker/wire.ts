/**
 * The wire between the edge and a session's object: what crosses, and in which form.
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
 * | `index` | to a principal's index: GET; PUT and DELETE, a session's id | 200 the ids as JSON · 204 |
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
import type {
  Accepted,
  Attach,
  Call,
  Caller,
  JsonAnswer,
  Keyed,
  Refusal,
  TransportKind,
} from "../src/host.ts";
import { isObject, type JsonObject } from "../src/jsonrpc/messages.ts";
import { parsePayload, type Unreadable as Refused } from "../src/jsonrpc/parse.ts";
import type { Reply } from "../src/session/server/reply.ts";
import type { UserRequest } from "../src/user/store.ts";
import type { Seed } from "../src/session/ports.ts";
import {
  fits,
  parseJson,
  type READ_BY_ALL,
  stamp,
  stamped,
  Unreadable,
  versionFrom,
  versionOf,
  WIRE,
} from "./wire-version.ts";
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
  /** Ends the session on its server's word. */
  terminate: "https://session/terminate",
  /** The object is the index of a principal's sessions, and holds none. */
  index: "https://session/index",
  /** The object is a user's, and holds no session. */
  user: "https://session/user",
} as const;

/** Carries an {@link Attach} on a WebSocket upgrade, which has no body. */
const ATTACH_HEADER = "holdfast-attach";
const OPENED_HEADER = "holdfast-opened";
const REFUSED_HEADER = "holdfast-refused";
const PLACE_HEADER = "holdfast-place";

/** In place of an envelope: it was sent ahead, under this name. */
const PREPARED = "prepared:";

/** Most characters of a header. Platforms bound headers, and none says where between Worker and object. */
const MOST_HEADER = 8192;

/** Most characters of a string that crosses by RPC, which the runtime refuses from 32 MiB on. */
export const MOST_RPC = 1_048_576;

/** The caller crosses with its headers, without its request. */
function pack<T extends { readonly caller: Caller }>({ caller, ...rest }: T): string {
  return JSON.stringify({ ...rest, caller: plainCaller(caller) });
}

/** What an envelope holds is checked by whoever unpacks it; the caller is checked here. */
function unpack(json: string): JsonObject & { caller: Caller } {
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

/** How a session that is found by its key begins. */
function keyedIn({ keyed }: JsonObject): Keyed | undefined {
  fits(keyed === undefined || (isObject(keyed) && typeof keyed["version"] === "string"), "the key");
  return keyed as Keyed | undefined;
}

const isTransport = (value: unknown): value is TransportKind =>
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
function quirksIn({ noRetry, needsStream }: JsonObject): Pick<Call, "noRetry" | "needsStream"> {
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

/** What follows the version in a string, where this code reads that version. */
function afterVersion(message: string): string {
  const space = message.indexOf(" ");
  fits(space > 0, "the version");
  versionFrom(message.slice(0, space));
  return message.slice(space + 1);
}

/** The upgrade's headers, and what must be sent ahead of it where they cannot hold the envelope. */
export function encodeAttach(attach: Attach): {
  headers: Record<string, string>;
  prepare: string | undefined;
} {
  const envelope = pack(attach);
  const encoded = encodeURIComponent(envelope);
  const fitsHeader = encoded.length <= MOST_HEADER;
  const value = fitsHeader ? encoded : `${PREPARED}${attach.connectionId}`;
  return {
    headers: stamped({ Upgrade: "websocket", [ATTACH_HEADER]: value }),
    prepare: fitsHeader ? undefined : `${attach.connectionId}\n${envelope}`,
  };
}

/** The same for an object that does not know what `prepare` is: all in the header, as in version 0. */
export function encodeAttachWhole(attach: Attach): Record<string, string> {
  return stamped({ Upgrade: "websocket", [ATTACH_HEADER]: encodeURIComponent(pack(attach)) });
}

/** The envelopes that were sent ahead, each until its upgrade takes it. */
export interface Prepared {
  put(body: string): void;
  take(name: string): string | undefined;
}

/** Upgrades follow at once: what is older than this many others was left behind by an edge that died. */
const MOST_PREPARED = 32;

export function createPrepared(): Prepared {
  const envelopes = new Map<string, string>();
  return {
    put(body) {
      const split = body.indexOf("\n");
      fits(split > 0, "what was prepared");
      envelopes.set(body.slice(0, split), body.slice(split + 1));
      if (envelopes.size <= MOST_PREPARED) return;
      for (const oldest of envelopes.keys()) return void envelopes.delete(oldest);
    },
    take(name) {
      const envelope = envelopes.get(name);
      envelopes.delete(name);
      return envelope;
    },
  };
}

/**
 * @returns undefined where the envelope was sent ahead and is not there: the object died in between
 * @throws {Unreadable}
 */
export function decodeAttach({ headers }: Request, prepared: Prepared): Attach | undefined {
  const value = headers.get(ATTACH_HEADER) ?? "";
  const json = value.startsWith(PREPARED) ? prepared.take(value.slice(PREPARED.length)) : decodeUri(value);
  if (json === undefined) return undefined;
  const envelope = unpack(json);
  const { opens, transport, connectionId, lastEventId, redial, notesPlace } = envelope;
  keyedIn(envelope);
  quirksIn(envelope);
  fits(typeof opens === "boolean" && isTransport(transport) && typeof redial === "boolean", "the attach");
  fits(typeof connectionId === "string", "the connection");
  fits(lastEventId === undefined || typeof lastEventId === "string", "the last event's id");
  fits(notesPlace === undefined || typeof notesPlace === "boolean", "notesPlace");
  return envelope as unknown as Attach;
}

function decodeUri(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new Unreadable("not URI-encoded");
  }
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

export function encodeEnd(caller: Caller): string {
  return pack({ caller });
}

/** @throws {Unreadable} */
export async function decodeEnd(request: Request): Promise<Caller> {
  return unpack(await request.text()).caller;
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

const SESSION_ID = /^[0-9a-f]{64}$/;

/**
 * The id of a session, for its principal's index.
 * @throws {Unreadable}
 */
export async function decodeId(request: Request): Promise<string> {
  const id = await request.text();
  fits(SESSION_ID.test(id), "the session's id");
  return id;
}

/**
 * What a principal's index holds.
 * @throws {Unreadable}
 */
export async function decodeIds(response: Response): Promise<string[]> {
  const ids = parseJson(await response.text());
  fits(Array.isArray(ids), "the index");
  for (const id of ids) fits(typeof id === "string" && SESSION_ID.test(id), "the index");
  return ids;
}

/** @param at where the stream begins: all that the edge can go by, should the body break before its first byte */
export function encodeReply(reply: Reply | Refusal, stream?: ReadableStream, at: string = ""): Response {
  switch (reply.kind) {
    case "accepted":
      return new Response(null, {
        status: 202,
        headers: reply.refused === undefined ? {} : { [REFUSED_HEADER]: String(reply.refused) },
      });
    case "json":
      return new Response(reply.body, reply.opened ? { headers: { [OPENED_HEADER]: "1" } } : {});
    case "streaming":
      return new Response(stream ?? null, { status: 206, headers: { [PLACE_HEADER]: at } });
    case "refused":
      return Response.json(reply, { status: 409, headers: { [REFUSED_HEADER]: "1" } });
  }
}

/** The reply to a `post` that came by RPC. */
export function encodeAnswer(
  reply: Reply | Refusal,
  stream?: ReadableStream,
  at?: string,
  version: typeof WIRE | typeof READ_BY_ALL = WIRE,
): string | Response {
  switch (reply.kind) {
    case "accepted":
      return `${version} accepted\n${reply.refused ?? ""}`;
    case "json":
      if (reply.body.length > MOST_RPC) break;
      return `${version} ${reply.opened ? "opened" : "json"}\n${reply.body}`;
    case "refused":
      return `${version} refused\n${JSON.stringify(reply)}`;
    default:
  }
  return stamp(encodeReply(reply, stream, at), version);
}

/** What a `post` became, as far as it can be said in a string. */
export type Said = Accepted | JsonAnswer | Refusal;

/** @throws {Unreadable} */
export function decodeAnswer(answer: string): Said {
  const split = answer.indexOf("\n");
  const kind = afterVersion(answer.slice(0, split));
  const body = answer.slice(split + 1);
  switch (kind) {
    case "json":
    case "opened":
      return { kind: "json", body, opened: kind === "opened" };
    case "accepted":
      return acceptedFrom(body);
    case "refused":
      return refusalFrom(parseJson(body));
    default:
      throw new Unreadable(`an answer of the kind ${kind}`);
  }
}

/** What a reply says; undefined goes with a status that the caller must know, or that is in no table. */
export type Replied =
  | Said
  | { readonly kind: "stream"; readonly body: ReadableStream<Uint8Array>; readonly at: string };

/** @throws {Unreadable} */
export async function decodeReply(response: Response): Promise<Replied | undefined> {
  versionOf(response);
  const { status, headers, body } = response;
  if (status === 202) return acceptedFrom(headers.get(REFUSED_HEADER) ?? "");
  if (status === 206 && body !== null) {
    const at = headers.get(PLACE_HEADER);
    fits(at !== null && at !== "", "the stream's place");
    return { kind: "stream", body, at };
  }
  if (status === 409 && headers.has(REFUSED_HEADER)) return refusalFrom(parseJson(await response.text()));
  if (status === 200)
    return { kind: "json", body: await response.text(), opened: headers.has(OPENED_HEADER) };
  return undefined;
}

/** Nothing is done by the status but that it is told. */
function acceptedFrom(refused: string): Accepted {
  return /^[45]\d\d$/.test(refused) ? { kind: "accepted", refused: Number(refused) } : { kind: "accepted" };
}

function refusalFrom(value: unknown): Refusal {
  fits(isObject(value) && value["kind"] === "refused", "the refusal");
  const { failure, successor } = value;
  fits(successor === undefined || typeof successor === "string", "the successor");
  fits(isObject(failure) && isObject(failure["error"]), "the failure");
  const { status, error, headers, retryAfterMs } = failure;
  fits(retryAfterMs === undefined || typeof retryAfterMs === "number", "when the failure is over");
  // What a Response takes for a status; anything else would throw where it is made.
  fits(Number.isInteger(status) && Number(status) >= 200 && Number(status) <= 599, "the failure's status");
  fits(headers === undefined || isObject(headers), "the failure's headers");
  const { code, message } = error as JsonObject;
  fits(typeof code === "number" && typeof message === "string", "the failure's error");
  return value as unknown as Refusal;
}
