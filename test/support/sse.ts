/**
 * Reads a `text/event-stream` response item by item, comments and `retry:` too, at the test's pace.
 * @module
 */
import { createParser } from "eventsource-parser";
import type { Message } from "./messages.ts";
import { within } from "./wait.ts";

/** One thing that a stream said. */
export type Item =
  | {
      readonly type: "event";
      readonly id: string | undefined;
      readonly event: string | undefined;
      readonly data: string;
    }
  | { readonly type: "retry"; readonly ms: number }
  | { readonly type: "comment"; readonly text: string };

export interface EventStream {
  readonly response: Response;
  /** Everything read so far. */
  readonly seen: readonly Item[];
  /** The bytes read so far, as text. */
  readonly text: string;
  /** The last event id read: what a client resumes from. */
  readonly lastEventId: string | undefined;
  /** The next item; undefined once the server has ended the stream. */
  next(): Promise<Item | undefined>;
  /** Reads up to the next JSON-RPC message that matches, and returns it. Throws where the stream ends first. */
  message(matches?: (message: Message) => boolean): Promise<Message>;
  /** The next `count` JSON-RPC messages. */
  messages(count: number): Promise<Message[]>;
  /** Reads to the end of the stream: the JSON-RPC messages that were left. */
  rest(): Promise<Message[]>;
  /** Reads until the connection breaks: the JSON-RPC messages that were left. Throws where the stream ends in order. */
  untilBroken(): Promise<Message[]>;
  /** Leaves, as a client that drops its connection. */
  leave(): void;
}

/** The JSON-RPC message in an item; undefined for comments, hints, and events that carry none. */
export function messageOf(item: Item): Message | undefined {
  if (item.type !== "event" || item.data === "") return undefined;
  if (item.event !== undefined && item.event !== "message") return undefined;
  return JSON.parse(item.data) as Message;
}

/**
 * What a stream says first, before any message: in 2025-11-25 an event to resume from, with the hint for when;
 * in earlier versions, whose clients would take that for a message or fail on it, a comment.
 */
export function openingOf(version: string): RegExp {
  return version >= "2025-11-25" ? /^id: \S+\nretry: \d+\ndata: \n\n/ : /^: open\n\n/;
}

/** True for a priming event: an id with empty data. */
export function isPriming(item: Item | undefined): boolean {
  return item?.type === "event" && item.data === "" && item.id !== undefined;
}

export function readEvents(response: Response): EventStream {
  const type = response.headers.get("content-type");
  if (response.body === null || type !== "text/event-stream") {
    throw new Error(`expected an event stream, got ${response.status} ${type}`);
  }
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const queue: Item[] = [];
  const seen: Item[] = [];
  let text = "";
  let lastEventId: string | undefined;
  const parser = createParser({
    onEvent: ({ id, event, data }) => queue.push({ type: "event", id, event, data }),
    onRetry: (ms) => queue.push({ type: "retry", ms }),
    onComment: (comment) => queue.push({ type: "comment", text: comment }),
  });

  const next = async (): Promise<Item | undefined> => {
    while (queue.length === 0) {
      const { done, value } = await within(
        reader.read(),
        () => `an item after ${JSON.stringify(text.slice(-200))}`,
      );
      if (done) return undefined;
      const chunk = decoder.decode(value, { stream: true });
      text += chunk;
      parser.feed(chunk);
    }
    const item = queue.shift();
    if (item !== undefined) seen.push(item);
    if (item?.type === "event" && item.id !== undefined) lastEventId = item.id;
    return item;
  };

  const stream: EventStream = {
    response,
    seen,
    get text() {
      return text;
    },
    get lastEventId() {
      return lastEventId;
    },
    next,
    async message(matches = () => true) {
      for (;;) {
        const item = await next();
        if (item === undefined) throw new Error(`the stream ended without the message: ${text.slice(-500)}`);
        const message = messageOf(item);
        if (message !== undefined && matches(message)) return message;
      }
    },
    async messages(count) {
      const found: Message[] = [];
      while (found.length < count) found.push(await stream.message());
      return found;
    },
    async rest() {
      const found: Message[] = [];
      for (let item = await next(); item !== undefined; item = await next()) {
        const message = messageOf(item);
        if (message !== undefined) found.push(message);
      }
      return found;
    },
    async untilBroken() {
      const found: Message[] = [];
      for (;;) {
        const item = await next().catch((error: Error) => error);
        if (item === undefined) throw new Error(`the stream ended in order: ${text.slice(-500)}`);
        // Not ours, which says that nothing came in time.
        if (item instanceof TypeError) return found;
        if (item instanceof Error) throw item;
        const message = messageOf(item);
        if (message !== undefined) found.push(message);
      }
    },
    leave: () => void reader.cancel().catch(() => {}),
  };
  return stream;
}
