/** What leaves is JSON that every client's parser takes. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toWire, wellFormed } from "../../src/jsonrpc/wire.ts";

const rest = { jsonrpc: "2.0", method: "m" } as const;

/** A value with each of its strings well formed, as UTF-8 would make it. */
function formed(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(formed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name.toWellFormed(), formed(member)]),
  );
}

let keys = 0;
/**
 * With keys that have never been before: V8's `JSON.parse` takes a key with an escape for another that it has met at the
 * same place. In V8 13.6, `{"x":0,"a\""` after `{"x":0,"a\\"` is read as the latter.
 */
function unmet(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmet);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [`${keys++}${name}`, unmet(member)]),
  );
}

describe("a message on the wire", () => {
  test.each([
    ["line separator", "a\u2028b", String.raw`a\u2028b`],
    ["paragraph separator", "a\u2029b", String.raw`a\u2029b`],
    ["next line", "a\u0085b", String.raw`a\u0085b`],
    ["first half of a pair", "a\ud83d", String.raw`a\ufffd`],
    ["second half of a pair", "\udf00a", String.raw`\ufffda`],
    ["halves in the wrong order", "\udf00\ud83d", String.raw`\ufffd\ufffd`],
    ["an escape that was meant as text", String.raw`\ud83d`, String.raw`\\ud83d`],
    ["a backslash before a half", "\\\ud83d", String.raw`\\\ufffd`],
    ["a whole pair", "😀", "😀"],
  ])("%s", (_name, text, expected) => {
    expect(toWire({ text })).toBe(`{"text":"${expected}"}`);
  });

  test("says what JSON says, but for halves of pairs; and no parser finds a line break or a half in it", () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.constantFrom("\\", "u", "d83d", "\u2028", "\u0085", "\ud83d", "\ude00", '"'),
        fc.string({ unit: "binary", maxLength: 3 }),
      ),
    });
    fc.assert(
      fc.property(fc.object({ key: text, values: [text, fc.integer(), fc.constant(null)] }), (given) => {
        const params = unmet(given);
        const json = toWire({ ...rest, params });
        expect(JSON.parse(json)).toEqual(formed(JSON.parse(JSON.stringify({ ...rest, params }))));
        expect(json).not.toMatch(/[\r\n\u0085\u2028\u2029]/);
        expect(json.isWellFormed()).toBe(true);
        expect(JSON.stringify(JSON.parse(json))).not.toMatch(/(?<!\\)(?:\\\\)*\\ud[89a-f]/);
        expect(wellFormed(json)).toBe(json);
      }),
    );
  });

  test("throws for what JSON cannot hold", () => {
    expect(() => toWire({ wei: 1n })).toThrow(TypeError);
  });
});
