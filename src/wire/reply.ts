/**
 * What an object answers its edge, as a Response or, to a `post`, as a string: written by the one, checked by the other.
 * @module
 */
import type { Accepted, JsonAnswer, Refusal } from "../host.ts";
import { isObject, type JsonObject } from "../jsonrpc/messages.ts";
import type { Reply } from "../session/server/reply.ts";
import {
  afterVersion,
  fits,
  parseJson,
  type READ_BY_ALL,
  stamp,
  Unreadable,
  versionOf,
  WIRE,
} from "./version.ts";

/** Most characters of a string that crosses by RPC, which the runtime refuses from 32 MiB on. */
export const MOST_RPC = 1_048_576;

const OPENED_HEADER = "holdfast-opened";
const REFUSED_HEADER = "holdfast-refused";
const PLACE_HEADER = "holdfast-place";

/** A stream that goes along with a reply. */
export interface Streamed {
  readonly body: ReadableStream;
  /** Where it begins: all that the edge can go by, should the body break before its first byte. */
  readonly at: string;
}

/** The reply as a Response, without its version. `stream` goes with the kind `streaming` alone. */
export function encodeReply(reply: Reply | Refusal, stream?: Streamed): Response {
  switch (reply.kind) {
    case "accepted":
      return new Response(null, {
        status: 202,
        headers: reply.refused === undefined ? {} : { [REFUSED_HEADER]: String(reply.refused) },
      });
    case "json":
      return new Response(reply.body, reply.opened ? { headers: { [OPENED_HEADER]: "1" } } : {});
    case "streaming":
      return new Response(stream?.body ?? null, {
        status: 206,
        headers: { [PLACE_HEADER]: stream?.at ?? "" },
      });
    case "refused":
      return Response.json(reply, { status: 409, headers: { [REFUSED_HEADER]: "1" } });
  }
}

/** The reply to a `post` that came by RPC. */
export function encodeAnswer(
  reply: Reply | Refusal,
  stream?: Streamed,
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
  return stamp(encodeReply(reply, stream), version);
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
