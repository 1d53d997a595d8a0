import { createParser, type EventSourceMessage } from "eventsource-parser";
import { describe, expect, it } from "vitest";
import { PARSER } from "../../src/test-page/parser.ts";

type Event = { type: string; data: string } | { comment: string };
interface Place {
  lastEventId: string;
  retryMs: number;
}
type Parse = (body: ReadableStream<Uint8Array>, place: Place) => AsyncIterable<Event>;

const { events } = (await import(
  `data:text/javascript,${encodeURIComponent(`${PARSER}; export { events };`)}`
)) as { events: Parse };

const TEXT = [
  ": hello",
  "",
  "retry: 20",
  "id: 1",
  "data:",
  "",
  "event: keepalive",
  'data: {"é→😀":',
  'data:"two lines"}',
  "",
  "data",
  "id",
  "id: 2",
  "unknown: field",
  "",
  "event: nothing to tell",
  "",
  "id: 3",
  "data:  only one space goes ",
  "",
  "id: 4",
  "data: never finished",
].join("\n");

/** What the text means to the parser that SDK clients use. */
const EXPECTED: Event[] = [];
const oracle = createParser({
  onEvent: ({ event, data }: EventSourceMessage) => EXPECTED.push({ type: event ?? "message", data }),
  onComment: (comment) => EXPECTED.push({ comment: comment.trimStart() }),
});
oracle.feed(TEXT);

async function parse(chunks: readonly Uint8Array[]): Promise<[Event[], Place]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const place = { lastEventId: "", retryMs: 0 };
  const seen: Event[] = [];
  for await (const event of events(body, place)) seen.push(event);
  return [seen, place];
}

describe.each([
  ["LF", "\n"],
  ["CRLF", "\r\n"],
  ["CR", "\r"],
])("the test page's parser, on lines that end with %s", (_name, end) => {
  const bytes = new TextEncoder().encode(TEXT.replaceAll("\n", end));

  it("reads a stream wherever it is cut in two", async () => {
    expect(EXPECTED).toHaveLength(5);
    for (let at = 0; at <= bytes.length; at++) {
      const [seen, place] = await parse([bytes.subarray(0, at), bytes.subarray(at)]);
      expect(seen).toEqual(EXPECTED);
      expect(place).toEqual({ lastEventId: "3", retryMs: 20 });
    }
  });

  it("reads a stream byte by byte", async () => {
    const [seen] = await parse(Array.from(bytes, (_byte, at) => bytes.subarray(at, at + 1)));
    expect(seen).toEqual(EXPECTED);
  });
});
