/**
 * What recovery has to know of HTTP requests and of the JSON-RPC in their bodies.
 * @module
 */
import { createParser } from "eventsource-parser";
import type { JsonObject, RequestId } from "../jsonrpc/messages.ts";

/** `fetch`, or anything that behaves like it. */
export type FetchLike = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** What a client called `fetch` with. `init` keeps fields that only its own runtime knows. */
export interface ClientRequest {
  readonly url: string | URL;
  readonly init: RequestInit & { readonly headers: Headers };
}

/** A JSON-RPC message of any kind. */
export interface Message extends JsonObject {
  id?: RequestId;
  method?: string;
  params?: JsonObject;
  result?: JsonObject;
}

export const SESSION_ID = "mcp-session-id";
export const PROTOCOL_VERSION = "mcp-protocol-version";
export const LAST_EVENT_ID = "last-event-id";

/** The message or messages in `text`; none where it holds something else. */
export function messagesIn(text: unknown): Message[] {
  try {
    const value: unknown = JSON.parse(text as string);
    return Array.isArray(value) ? value : (value as Message).jsonrpc ? [value as Message] : [];
  } catch {
    return [];
  }
}

export const isEventStream = (reply: Response): boolean =>
  reply.ok && /^text\/event-stream/i.test(reply.headers.get("content-type") ?? "");

/** True for an answer that may be another one a moment later. */
export const isTransient = ({ status }: Response): boolean =>
  status > 499 || status === 429 || status === 409;

/** The text of a body, as it arrives. */
export async function* textOf(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield decoder.decode(value, { stream: true });
  }
}

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
    const reader = (reply.body as ReadableStream<Uint8Array>).getReader();
    const parser = createParser({ onEvent: ({ data }) => look(data) });
    for await (const text of textOf(reader)) {
      parser.feed(text);
      if (answer) break;
    }
    discard(reader);
  }
  return answer;
}
