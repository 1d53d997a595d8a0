import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { controlFrame, keepaliveId, keepaliveOf, parseControl } from "../../src/sse/control.ts";
import { createDeframer, splitFrames } from "../../src/sse/deframer.ts";
import { formatEventId, parseEventId, randomStreamId } from "../../src/sse/event-id.ts";
import { commentFrame, frame, messageFrame, primingFrame } from "../../src/sse/frames.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

describe("frames", () => {
  it("writes the fields in the order id, event, data, retry", () => {
    expect(frame({ retry: 5000, data: '{"test": 1}', event: "message", id: "a.1" })).toBe(
      'id: a.1\nevent: message\ndata: {"test": 1}\nretry: 5000\n\n',
    );
  });

  it("ends lines with CRLF where asked to", () => {
    expect(frame({ event: "message", data: '{"test": 1}', retry: 15000 }, "\r\n")).toBe(
      'event: message\r\ndata: {"test": 1}\r\nretry: 15000\r\n\r\n',
    );
  });

  it("splits data at every kind of line end", () => {
    expect(frame({ data: "a\nb\r\nc\rd" })).toBe("data: a\ndata: b\ndata: c\ndata: d\n\n");
  });

  it.each(["a\nb", "a\rb", "a\0b"])("refuses an id or event that breaks out of its line: %j", (value) => {
    expect(() => frame({ id: value })).toThrow(TypeError);
    expect(() => frame({ event: value })).toThrow(TypeError);
    expect(() => commentFrame(value)).toThrow(TypeError);
  });

  it("writes a message on the fast path as the general one would", () => {
    const json = JSON.stringify({ text: "line\nbreak", emoji: "🪢" });
    expect(messageFrame("s.1", json)).toBe(frame({ id: "s.1", event: "message", data: json }));
  });

  it("primes with an id, a retry and empty data", () => {
    expect(primingFrame("s.0", 3000)).toBe("id: s.0\nretry: 3000\ndata: \n\n");
    expect(primingFrame("s.0", undefined)).toBe("id: s.0\ndata: \n\n");
  });
});

describe("event ids", () => {
  it("survive the way out and back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 48 - 1 }), fc.nat(), (stream, seq) => {
        expect(parseEventId(formatEventId(stream, seq))).toEqual({ session: undefined, stream, seq });
        expect(parseEventId(formatEventId(stream, seq, "ab_c-9."))).toEqual({
          session: "ab_c-9",
          stream,
          seq,
        });
      }),
    );
  });

  it.each(["", ".", "a", "a.", ".a", "a.b.c.d", "A.1", "a.1\n", "a.-1", "a.1 ", `${"z".repeat(11)}.1`])(
    "reads %j as none of ours",
    (text) => {
      expect(parseEventId(text)).toBeUndefined();
    },
  );

  it("numbers streams at random", () => {
    const ids = new Set(Array.from({ length: 1000 }, randomStreamId));
    expect(ids.size).toBe(1000);
    for (const id of ids) expect(Number.isSafeInteger(id) && id > 0).toBe(true);
  });
});

describe("the deframer", () => {
  const anyFrame = fc.oneof(
    fc.json().map((json) => messageFrame("s.1", json)),
    fc.constant(commentFrame("open")),
    fc.constant(primingFrame("s.0", 3000)),
    fc.constant(controlFrame({ type: "end", value: "done" })),
  );

  it("yields the same frames for any chunking, and never half of one", () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 })),
        (frames, cuts) => {
          const bytes = encoder.encode(frames.join(""));
          const deframer = createDeframer();
          const seen: string[] = [];
          let at = 0;
          for (let i = 0; at < bytes.length; i++) {
            const size = cuts[i % Math.max(1, cuts.length)] ?? 1;
            const run = deframer.push(bytes.subarray(at, at + size));
            at += size;
            if (run !== undefined) seen.push(...splitFrames(run).map((part) => decoder.decode(part)));
          }
          expect(seen).toEqual(frames);
        },
      ),
    );
  });

  it("holds back a frame that is cut off", () => {
    const deframer = createDeframer();
    expect(deframer.push(encoder.encode("data: 1\n\ndata: "))).toEqual(encoder.encode("data: 1\n\n"));
    expect(deframer.push(encoder.encode("2\n"))).toBeUndefined();
    expect(deframer.push(encoder.encode("\n"))).toEqual(encoder.encode("data: 2\n\n"));
  });
});

describe("control frames", () => {
  it("are read back, and are comments to everybody else", () => {
    const text = controlFrame({ type: "end", value: "replaced" });
    expect(text.startsWith(":")).toBe(true);
    expect(parseControl(encoder.encode(text))).toEqual({ type: "end", value: "replaced" });
  });

  it.each(["a\nb", "a\rb", "a\0b"])("take no value that breaks out of them: %j", (value) => {
    expect(() => controlFrame({ type: "pong", value })).toThrow(TypeError);
    expect(() => controlFrame({ type: "at", value })).toThrow(TypeError);
  });

  it.each([
    ["a place", controlFrame({ type: "at", value: "a.1" }), { type: "at", value: "a.1" }],
    ["what is no place", controlFrame({ type: "at", value: "a" }), "unknown"],
    [
      "a pong",
      controlFrame({ type: "pong", value: "keepalive.c.1" }),
      { type: "pong", value: "keepalive.c.1" },
    ],
    ["a pong to nothing of ours", controlFrame({ type: "pong", value: "1" }), "unknown"],
    ["a reason of a later version", ":!end tired\n\n", { type: "end", value: "closed" }],
    ["a type of a later version", ":!later x\n\n", "unknown"],
    ["a frame with a second line", ":!end done\nid: a.1\n\n", "unknown"],
  ])("are read for what this version knows: %s", (_, text, expected) => {
    expect(parseControl(encoder.encode(text))).toEqual(expected);
  });

  it.each([
    [keepaliveId("0e1f-22", 3), "0e1f-22"],
    ["keepalive.x", undefined],
    ["keepalive.x\n\n:!end done\n\n.1", undefined],
    ["keepalive.c.1\n", undefined],
    ["keepalive.c.d.1", undefined],
    [1, undefined],
  ])("the id %j is a ping of the connection %j", (id, connection) => {
    expect(keepaliveOf(id)).toBe(connection);
  });

  it.each([commentFrame("keepalive"), messageFrame("s.1", '":!end done"'), ": !end done\n\n"])(
    "are not seen in %j",
    (text) => {
      expect(parseControl(encoder.encode(text))).toBeUndefined();
    },
  );
});
