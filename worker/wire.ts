/**
 * The wire between the edge and a session's object: what crosses, and in which form. Here are the requests;
 * what a session is asked is in `src/wire/call.ts`, a standing stream's in `wire-attach.ts`, and what comes back in `src/wire/reply.ts`.
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
 * | `user` | to a user's object: POST, what is asked of the user's state, as JSON | 200 its reply as JSON |
 *
 * A refusal (409, `holdfast-refused: 1`) is the failure to answer the client with; with 202 the header names the status of one
 * that the session has said on its stream, as the body of `accepted` does. Who cannot read a request
 * refuses it with a 503, untouched, in place of the version `any`: that reply reads the same in all of them; who does not know its path answers 501. Who cannot read a reply, or gets
 * another status than those above, treats it as the death of the object that it came from.
 *
 * Why `post` is a method: a string there and back takes 40 µs of processor time less than a `fetch`
 * (× 1.12 to 1.14 calls, between two builds that differed in nothing else). Objects and streams take more by RPC than by `fetch`; a stream comes as a Response
 * all the same (some 45 µs more, once for the call), since a second call for it would cost more than that, and
 * would leave a moment in which neither side holds what was sent. Cancellation, pace, the object's death and its
 * sleep are as with `fetch`.
 * @module
 */
import type { Call } from "../src/host.ts";
import { isObject } from "../src/jsonrpc/messages.ts";
import type { Unreadable as Refused } from "../src/jsonrpc/parse.ts";
import type { UserRequest } from "../src/user/store.ts";
import type { Seed } from "../src/session/ports.ts";
import { decodeCall } from "../src/wire/call.ts";
import { afterVersion, fits, parseJson, WIRE } from "../src/wire/version.ts";

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
