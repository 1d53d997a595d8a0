/** Event streams as the browser gets them: bytes that may be cut anywhere, read for events, comments and the place. @module */
import { createParser } from "eventsource-parser";

/** What a stream carried. A comment is none of the protocol's business, but a person wants to see it. */
export type StreamEvent =
  | { readonly type: string; readonly data: string; readonly id: string | undefined }
  | { readonly comment: string };

/** How far a stream was read, and how soon its server wants to be asked again. */
export interface Place {
  lastEventId: string;
  retryMs: number;
}

/**
 * Reads a stream up to its end. An event that is cut off is not read, and the place stays before it.
 * @throws what the connection breaks with
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  place: Place,
): AsyncGenerator<StreamEvent> {
  let read: (StreamEvent & { place?: string })[] = [];
  const parser = createParser({
    onEvent: ({ id, event, data }) => {
      read.push({ type: event ?? "message", data, id, ...(id !== undefined && { place: id }) });
    },
    onComment: (comment) => read.push({ comment: comment.trimStart() }),
    onRetry: (retryMs) => (place.retryMs = retryMs),
  });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      const events = read;
      read = [];
      for (const event of events) {
        // As it is handed out: who stops in between comes back to what it has had.
        if (event.place !== undefined) place.lastEventId = event.place;
        delete event.place;
        yield event;
      }
    }
  } finally {
    // Whoever stops reading lets the connection go.
    void reader.cancel().catch(() => {});
  }
}
