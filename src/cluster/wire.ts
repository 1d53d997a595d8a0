/**
 * The wire between processes: the same shapes as between edge and object on Workers, over HTTP.
 *
 * Each call is a POST to `<address>/cluster/<what>`, with the node that it is for, the session, the digest of the body, and
 * the cluster's signature over all of these, which is judged before the body is read. Replies are those of `worker/wire.ts`
 * for what is known within {@link QUICK_MS}; besides
 *
 * | status | what it says                                                                                         |
 * | ------ | ---------------------------------------------------------------------------------------------------- |
 * | 207    | what was asked goes on: beats, then the reply as a line and what follows it                          |
 * | 404    | no process of this cluster has signed that                                                           |
 * | 410    | the session is not here, or not any more, or this is another node (`holdfast-node` says which): nothing has been done |
 *
 * A stream that has nothing to say sends a beat, as a control frame that nobody has to know: who hears nothing for
 * {@link SILENCE_MS} takes the link for broken.
 * @module
 */
import { isObject, type JsonObject } from "../jsonrpc/messages.ts";
import type { Change } from "../changes.ts";
import type { SessionDetail } from "../sessions.ts";
import { fits, parseJson } from "../wire/version.ts";

export { decodeAttachBody, encodeAttachBody } from "../wire/attach.ts";
export { decodeAnswer, decodeReply, encodeAnswer, encodeReply, type Replied } from "../wire/reply.ts";
export {
  decodeCall,
  decodeEnd,
  decodeGuestRequest,
  encodeCall,
  encodeEnd,
  encodeGuestRequest,
} from "../wire/call.ts";
export {
  READ_BY_ALL,
  reportUnreadable,
  stamp,
  stamped,
  Unreadable,
  versionOf,
  WIRE,
} from "../wire/version.ts";

/** What is asked of another process. */
export const ASKED = [
  "post",
  "attach",
  "end",
  "terminate",
  "live",
  "inspect",
  "notify",
  "publish",
  "ack",
  "leave",
  "guest",
] as const;
/** One of them. */
export type Asked = (typeof ASKED)[number];

/** What stands in front of a request's body. */
export const HEADERS = {
  node: "holdfast-node",
  session: "holdfast-session",
  digest: "holdfast-digest",
  signature: "holdfast-signature",
} as const;

/** Statuses that say something of their own: see above. */
export const STATUS = { later: 207, unsigned: 404, notHere: 410 } as const;

/** A reply that takes longer is begun without. */
export const QUICK_MS = 1000;
/** Silence after which a beat is sent. */
export const BEAT_MS = 3000;
/** Silence after which the other side is taken for gone. */
export const SILENCE_MS = 10_000;
/** How long the beginning of a reply may take. */
export const HEAD_MS = 4000;

/** A beat before a reply: an empty line. */
export const EARLY_BEAT = "\n";
/** A beat of a stream. */
export const BEAT = ":!beat 0\n\n";

/** The first line of a reply that came later than quick. */
export const STREAM_LINE = "stream";

/** How far the client of a stream has been handed its events. */
export interface Handed {
  readonly connectionId: string;
  readonly seq: number;
}

/** @throws {Unreadable} */
export function decodeHanded(body: string): Handed {
  const value = parseJson(body);
  fits(isObject(value), "what was handed");
  const { connectionId, seq } = value;
  fits(typeof connectionId === "string" && Number.isSafeInteger(seq), "what was handed");
  return value as unknown as Handed;
}

/**
 * A session as it is.
 * @throws {Unreadable}
 */
export function decodeDetail(body: string, session: string): SessionDetail {
  const value = parseJson(body);
  fits(isObject(value) && value["id"] === session && Array.isArray(value["streams"]), "the session's detail");
  return value as unknown as SessionDetail;
}

/**
 * What a guest answers.
 * @throws {Unreadable}
 */
export function decodeGuestReply(body: string): JsonObject {
  const value = parseJson(body);
  fits(isObject(value), "a guest's answer");
  return value;
}

/** @throws {Unreadable} */
export function decodeChanges(body: string): { topic: string; changes: Change[] } {
  const value = parseJson(body);
  fits(isObject(value), "the changes");
  const { topic, changes } = value;
  fits(typeof topic === "string" && Array.isArray(changes), "the changes");
  for (const change of changes) fits(isObject(change) && typeof change["kind"] === "string", "a change");
  return value as unknown as { topic: string; changes: Change[] };
}

/** In place of a stream's place, where the stream is the standalone one from where it was left. */
export const NOWHERE = "-";
