/** However the bytes of a stream are cut, its messages are the same: G-11. */
import { EventSourceParserStream, type EventSourceMessage } from "eventsource-parser/stream";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { recoveringFetch } from "../../src/client/index.ts";
import { notification } from "../support/messages.ts";
import { SDKS } from "./support/clients.ts";
import { openRawSession, URL_OF_SCRIPT } from "./support/raw-session.ts";
import { createScript, pass, reply } from "./support/script.ts";

const encoder = new TextEncoder();

/** A body that arrives in chunks of these sizes, over and over. */
function inChunks(bytes: Uint8Array, sizes: readonly number[]): Response {
  let at = 0;
  let turn = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      const size = sizes[turn++ % sizes.length] ?? 1;
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

/** What a client reads of a call whose answer is this body. */
async function throughRecovery(response: Response): Promise<EventSourceMessage[]> {
  const script = createScript((given) => (given.message?.method === "tools/call" ? response : pass()));
  const session = await openRawSession(recoveringFetch({ fetch: script.fetch }));
  return events(await session.post({ jsonrpc: "2.0", id: "call", method: "tools/call" }));
}

async function events(response: Response): Promise<EventSourceMessage[]> {
  const body = response.body as ReadableStream;
  const read: EventSourceMessage[] = [];
  for await (const event of body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream()))
    read.push(event);
  return read;
}

const text = fc.string({ unit: "grapheme", maxLength: 60 });
const fieldValue = fc.stringMatching(/^[\x21-\x7e]{1,12}$/);
const message = fc
  .record({
    id: fc.option(fieldValue),
    event: fc.option(fieldValue),
    data: fc.jsonValue({ maxDepth: 2 }),
    pretty: fc.boolean(),
  })
  .map(({ id, event, data, pretty }) => {
    const json = JSON.stringify(
      { jsonrpc: "2.0", method: "notifications/message", params: { data } },
      null,
      pretty ? 1 : 0,
    );
    return [
      ...(event === null ? [] : [`event: ${event}`]),
      ...(id === null ? [] : [`id: ${id}`]),
      ...json.split("\n").map((line) => `data: ${line}`),
      "",
    ];
  });
const comment = text.map((words) => [`: ${words.replaceAll(/[\r\n]/g, " ")}`, ""]);
const eol = fc.constantFrom("\n", "\r\n", "\r");
const ANSWER = JSON.stringify({ jsonrpc: "2.0", id: "call", result: { text: "é→😀" } });

describe("arbitrary chunking", () => {
  test("gives the events of the unbroken stream", async () => {
    const stream = fc.tuple(fc.array(fc.oneof(message, comment), { maxLength: 6 }), eol);
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(stream, sizes, async ([blocks, end], chunks) => {
        const lines = [...blocks.flat(), `data: ${ANSWER}`, "", ""];
        const bytes = encoder.encode(lines.join(end));
        const whole = await events(inChunks(bytes, [bytes.length]));
        expect(whole.at(-1)?.data).toBe(ANSWER);
        expect(await throughRecovery(inChunks(bytes, chunks))).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  const large = JSON.stringify(
    notification("notifications/message", { level: "info", data: "é→😀 ".repeat(110_000) }),
  );
  const frames = `data: ${large}\r\n\r\ndata: ${ANSWER}\r\n\r\n`;

  test.each([1, 3, 65_536])("a frame of 1 MB in chunks of %i bytes", async (size) => {
    const bytes = encoder.encode(frames);
    expect(bytes.length).toBeGreaterThan(2 ** 20);
    const [first, second] = await throughRecovery(inChunks(bytes, [size]));
    expect(first?.data === large).toBe(true);
    expect(second?.data).toBe(ANSWER);
  });

  test.each(SDKS)("$name: reads the same messages", async (sdk) => {
    const data = ["é→😀", "\u2028", "line\nline", "x".repeat(5000)];
    const sent = data.map((value) => notification("notifications/message", { level: "info", data: value }));
    const script = createScript((given) => {
      if (given.message?.method === "tools/list") return reply(given.message, { tools: [] });
      if (given.message?.method !== "tools/call")
        return given.method === "GET" ? new Response(null, { status: 405 }) : pass();
      const result = { content: [{ type: "text", text: "done" }] };
      const all = [...sent, { jsonrpc: "2.0", id: given.message.id, result }];
      const body = all.map((value) => `event: message\r\ndata: ${JSON.stringify(value)}\r\n\r\n`).join("");
      return inChunks(encoder.encode(body), [1]);
    });
    const client = await sdk.connect(URL_OF_SCRIPT, recoveringFetch({ fetch: script.fetch }));
    expect(await client.call("echo")).toBe("done");
    expect(client.notifications.map(({ params }) => params?.["data"])).toEqual(data);
    await client.close();
  });
});
