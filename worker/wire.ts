/**
 * How a call crosses from the edge to the Durable Object and back: one `fetch` each way, JSON where
 * there is a body to put it in, the message's own text untouched.
 * @module
 */
import type { Attach, Call, Caller, JsonAnswer, Refusal } from "../src/host.ts";
import { parsePayload } from "../src/jsonrpc/messages.ts";
import type { Reply } from "../src/session/exchange.ts";
import { callerFrom, plainCaller } from "./wire-caller.ts";

/** Paths of the object; the host part of the URL means nothing. */
export const PATHS = {
  post: "https://session/post",
  attach: "https://session/attach",
  end: "https://session/end",
  adopt: "https://session/adopt",
  live: "https://session/live",
  notify: "https://session/notify",
  terminate: "https://session/terminate",
  index: "https://session/index",
} as const;

/** Carries an {@link Attach} on a WebSocket upgrade, which has no body. */
const ATTACH_HEADER = "holdfast-attach";
const OPENED_HEADER = "holdfast-opened";
const REFUSED_HEADER = "holdfast-refused";
const PLACE_HEADER = "holdfast-place";

/** The caller crosses with its headers, without its request. */
function pack<T extends { readonly caller: Caller }>({ caller, ...rest }: T): string {
  return JSON.stringify({ ...rest, caller: plainCaller(caller) });
}

function unpack<T extends { readonly caller: Caller }>(json: string): T {
  const { caller, ...rest } = JSON.parse(json);
  return { ...rest, caller: callerFrom(caller) };
}

/** Envelope, line break, the client's text: it is parsed once on each side and never copied into JSON. */
export function encodeCall({ opens, transport, caller, accept, connectionId, text }: Call): string {
  return `${pack({ opens, transport, caller, accept, connectionId: connectionId() })}\n${text}`;
}

export function decodeCall(body: string): Call {
  const split = body.indexOf("\n");
  const text = body.slice(split + 1);
  const parsed = parsePayload(text);
  if ("failure" in parsed) throw new TypeError("the edge has checked the payload");
  const { connectionId, ...rest } = unpack<Omit<Call, "connectionId"> & { connectionId: string }>(
    body.slice(0, split),
  );
  return { ...rest, connectionId: () => connectionId, text, payload: parsed.payload };
}

export function encodeAttach(attach: Attach): Record<string, string> {
  return { Upgrade: "websocket", [ATTACH_HEADER]: encodeURIComponent(pack(attach)) };
}

export function decodeAttach(request: Request): Attach {
  return unpack(decodeURIComponent(request.headers.get(ATTACH_HEADER) ?? ""));
}

/** @param at where the stream begins: all that the edge can go by, should the body break before its first byte */
export function encodeReply(reply: Reply | Refusal, stream?: ReadableStream, at: string = ""): Response {
  switch (reply.kind) {
    case "accepted":
      return new Response(null, { status: 202 });
    case "json":
      return new Response(reply.body, reply.opened ? { headers: { [OPENED_HEADER]: "1" } } : {});
    case "streaming":
      return new Response(stream ?? null, { status: 206, headers: { [PLACE_HEADER]: at } });
    case "refused":
      return Response.json(reply, { status: 409, headers: { [REFUSED_HEADER]: "1" } });
  }
}

/** Where the stream of an answer begins. */
export function placeOf(response: Response): string | undefined {
  return response.headers.get(PLACE_HEADER) || undefined;
}

/** A refusal, a JSON answer, or undefined for anything that the caller knows by its status. */
export async function decodeReply(response: Response): Promise<Refusal | JsonAnswer | undefined> {
  if (response.headers.has(REFUSED_HEADER)) return (await response.json()) as Refusal;
  if (response.status !== 200) return undefined;
  return { kind: "json", body: await response.text(), opened: response.headers.has(OPENED_HEADER) };
}

export function encodeEnd(caller: Caller): string {
  return pack({ caller });
}

export async function decodeEnd(request: Request): Promise<Caller> {
  return unpack(await request.text()).caller;
}
