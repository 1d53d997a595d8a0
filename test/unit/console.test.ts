import { readFileSync } from "node:fs";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { describe, expect, it } from "vitest";
import { draftOf, readDraft } from "../../src/console/app/form/draft.ts";
import { fieldOf } from "../../src/console/app/form/schema.ts";
import { createOrder } from "../../src/console/app/wire/order.ts";
import { type Place, readEvents } from "../../src/console/app/wire/sse.ts";
import { headerText, mirrored } from "../../src/console/app/wire/stateless.ts";
import { ASSETS, consoleAssets } from "../../scripts/console.ts";

describe("src/console/assets.ts", () => {
  it("is what `npm run build:console` makes of the sources", async () => {
    expect(readFileSync(ASSETS, "utf8") === (await consoleAssets()), "run npm run build:console").toBe(true);
  });
});

type Event = { type: string; data: string } | { comment: string };

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
  for await (const event of readEvents(body, place)) {
    seen.push("comment" in event ? event : { type: event.type, data: event.data });
  }
  return [seen, place];
}

describe.each([
  ["LF", "\n"],
  ["CRLF", "\r\n"],
  ["CR", "\r"],
])("the console's parser, on lines that end with %s", (_name, end) => {
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

describe("the order of events", () => {
  it("is told by their ids: what is missing, what came twice", () => {
    const order = createOrder();
    expect(order.next("s.0")).toEqual({ lost: 0, doubled: false });
    expect(order.next("s.1")).toEqual({ lost: 0, doubled: false });
    expect(order.next("s.a")).toEqual({ lost: 8, doubled: false });
    expect(order.next("s.a")).toEqual({ lost: 0, doubled: true });
    expect(order.next("other.5")).toEqual({ lost: 0, doubled: false });
    expect(order.next("s.b")).toEqual({ lost: 0, doubled: false });
  });

  it("is not made up where ids are of another form", () => {
    const order = createOrder();
    for (const id of [undefined, "", "17", "9", "a.B", "a."]) {
      expect(order.next(id)).toEqual({ lost: 0, doubled: false });
    }
  });
});

describe("a form for a schema", () => {
  const schema = {
    type: "object",
    $defs: {
      street: { $anchor: "road", type: "string" },
      node: { type: "object", properties: { next: { $ref: "#/$defs/node" } } },
    },
    properties: {
      name: { type: "string" },
      age: { type: "integer", default: 3 },
      nick: { type: ["string", "null"] },
      colour: { enum: ["red", "blue"], enumNames: ["Red", "Blue"] },
      size: { oneOf: [{ const: 1, title: "One" }, { const: 2 }] },
      both: { type: "array", items: { anyOf: [{ const: "a" }, { const: "b" }] } },
      tags: { type: "array", items: { type: "string" } },
      street: { $ref: "#road" },
      node: { $ref: "#/$defs/node" },
      any: {},
      ["__proto__"]: { type: "string" },
    },
    required: ["name", "age"],
  };
  const whole = fieldOf(schema);
  const properties = whole.kind === "object" ? whole.properties : [];
  const kinds = Object.fromEntries(properties.map(({ key, field }) => [key, field.kind]));

  it("asks for each property by its kind", () => {
    expect(kinds).toEqual({
      name: "text",
      age: "number",
      nick: "text",
      colour: "choice",
      size: "choice",
      both: "choices",
      tags: "list",
      street: "text",
      node: "object",
      any: "json",
      ["__proto__"]: "text",
    });
  });

  it("gives what was typed, and leaves out what was not", () => {
    const field = fieldOf(schema);
    const draft = draftOf(field) as Record<string, never>;
    expect(readDraft(field, draft, true)).toEqual({ value: { name: "", age: 3 } });
    const filled = {
      ...draft,
      name: "Ada",
      age: "4",
      colour: "1",
      size: "0",
      both: [1],
      tags: ["x"],
      any: "[1]",
    };
    expect(readDraft(field, filled as never, true)).toEqual({
      value: { name: "Ada", age: 4, colour: "blue", size: 1, both: ["b"], tags: ["x"], any: [1] },
    });
  });

  it.each([
    [{ age: "" }, "age is required"],
    [{ age: "x" }, "age must be a number"],
    [{ age: "1.5" }, "age must be a whole number"],
    [{ any: "{" }, "any is not JSON"],
  ])("says what is wrong with %o", (typed, problem) => {
    const field = fieldOf(schema);
    const draft = { ...(draftOf(field) as object), ...typed };
    expect(readDraft(field, draft as never, true)).toEqual({ problem: expect.stringContaining(problem) });
  });

  it.each([
    ["itself", { $ref: "#" }],
    ["nowhere", { $ref: "#/nowhere/at/all" }],
    ["another place", { $ref: "https://example.com/schema" }],
    ["what is no schema", 17],
  ])("asks for JSON where a schema leads to %s", (_what, of) => {
    expect(fieldOf(of).kind).toBe("json");
  });
});

describe("headers of a call of 2026-07-28", () => {
  it.each([
    ["plain", "plain"],
    ["two words", "two words"],
    [" edge", "=?base64?IGVkZ2U=?="],
    ["é", "=?base64?w6k=?="],
    ["=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="],
    ["a\r\nb", "=?base64?YQ0KYg==?="],
  ])("%j is carried as %j", (value, expected) => {
    expect(headerText(value)).toBe(expected);
  });

  it("mirror the arguments that the tool's schema says", () => {
    const schema = {
      properties: {
        region: { type: "string", "x-mcp-header": "Region" },
        deep: { type: "object", properties: { n: { type: "integer", "x-mcp-header": "N" } } },
        bad: { type: "string", "x-mcp-header": "no token" },
        absent: { type: "string", "x-mcp-header": "Absent" },
      },
    };
    expect(mirrored(schema, { region: "eu", deep: { n: 1 }, bad: "x" })).toEqual({
      "Mcp-Param-Region": "eu",
      "Mcp-Param-N": "1",
    });
  });
});
