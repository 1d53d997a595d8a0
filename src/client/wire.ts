/**
 * What recovery has to know of HTTP requests and of the JSON-RPC in their bodies.
 * @module
 */
import { createParser } from "eventsource-parser";
import type { JsonObject, RequestId } from "../jsonrpc/messages.ts";

/** `fetch`, or anything that behaves like it. */
export type FetchLike = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/**
 * What a client called `fetch` with, in one object that can be passed on as it is, or changed. Fields
 * that only the client's own runtime knows are kept.
 */
export interface ClientRequest extends RequestInit {
  readonly url: string | URL;
  readonly headers: Headers;
}

/** A JSON-RPC message of any kind. */
export interface Message extends JsonObject {
  id?: RequestId;
  method?: string;
  params?: JsonObject;
  result?: JsonObject;
}

/** Header of a session's id, in lower case. */
export const SESSION_ID = "mcp-session-id";
/** Header of the protocol's version, in lower case. */
export const PROTOCOL_VERSION = "mcp-protocol-version";
/** Header of a resume, in lower case. */
export const LAST_EVENT_ID = "last-event-id";

/** The values of the array in `text`, or the one value that it holds; none where it is not JSON. */
export function parse(text: unknown): unknown[] {
  try {
    return [JSON.parse(text as string)].flat();
  } catch {
    return [];
  }
}

/** The message or messages in `text`; none where it holds something else. */
export const messagesIn = (text: unknown): Message[] =>
  (parse(text) as (Message | null)[]).filter((message) => message?.jsonrpc) as Message[];

/** True for a response that is an event stream. */
export const isEventStream = (reply: Response): boolean =>
  reply.ok && /^text\/event-stream/i.test(reply.headers.get("content-type") as string);

/** True for an answer that may be another one a moment later. */
export const isTransient = ({ status }: Response): boolean => /5..|4[02]9/.test(`${status}`);

/** Reads a body as text. Bytes of a character that is cut by a chunk wait for the rest of it. */
export const readText = (body: ReadableStream): ReadableStreamDefaultReader<string> =>
  body.pipeThrough<string>(new TextDecoderStream()).getReader();

/** Lets go of a body, or of the rest of it. */
export const discard = (body: { cancel(): Promise<void> } | null | undefined): void =>
  void body?.cancel().catch(() => undefined);

/**
 * Reads the response to request `id`, from JSON or from an event stream. Other messages are passed
 * over, and the body is let go of. Undefined where it ends without the response.
 */
export async function readAnswer(reply: Response, id: RequestId | undefined): Promise<Message | undefined> {
  let answer: Message | undefined;
  const look = (data: string): void => {
    answer ??= messagesIn(data).find((message) => message.id === id && !message.method);
  };
  if (!isEventStream(reply)) look(await reply.text());
  else {
    const reader = readText(reply.body as ReadableStream);
    const parser = createParser({ onEvent: ({ data }) => look(data) });
    for (let next; !answer && !(next = await reader.read()).done;) parser.feed(next.value);
    discard(reader);
  }
  return answer;
}
