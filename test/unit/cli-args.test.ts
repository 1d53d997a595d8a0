/** Words of a command line, by the input schema of the tool that they are for. */
import { describe, expect, it } from "vitest";
import { toolArguments, typed } from "../../src/client/cli-args.ts";

const SCHEMA = {
  type: "object",
  properties: {
    text: { type: "string" },
    count: { type: "integer" },
    ratio: { type: "number" },
    on: { type: "boolean" },
    tags: { type: "array", items: { type: "string" } },
    sizes: { type: "array", items: { type: "integer" } },
    where: { type: "object" },
    colour: { enum: ["red", "green"] },
    level: { anyOf: [{ const: 1 }, { const: 2 }] },
    perhaps: { type: ["string", "null"] },
    either: { anyOf: [{ type: "integer" }, { type: "string" }] },
    shared: { $ref: "#/$defs/Shared" },
    loop: { $ref: "#/$defs/Loop" },
    anything: {},
  },
  $defs: { Shared: { type: "number" }, Loop: { $ref: "#/$defs/Loop" } },
};

describe("tool arguments", () => {
  it.each([
    ["text", "5", "5"],
    ["text", "null", "null"],
    ["text", "", ""],
    ["count", "5", 5],
    ["ratio", "5", 5],
    ["ratio", "1e-3", 0.001],
    ["on", "true", true],
    ["tags", "5", ["5"]],
    ["tags", '["a","b"]', ["a", "b"]],
    ["sizes", "5", [5]],
    ["where", '{"a":1}', { a: 1 }],
    ["colour", "red", "red"],
    ["level", "2", 2],
    ["perhaps", "null", null],
    ["perhaps", "nul", "nul"],
    ["either", "5", 5],
    ["either", "five", "five"],
    ["shared", "5", 5],
    ["loop", "5", 5],
    ["anything", '{"a":1}', { a: 1 }],
    ["anything", "word", "word"],
    ["unknown", "5", 5],
    ["toString", "word", "word"],
  ])("%s=%s is %j", (name, text, value) => {
    expect(toolArguments([[name, text]], SCHEMA)).toEqual({ [name]: value });
  });

  it.each([
    ["count", "1.5", 'count: integer, not "1.5"'],
    ["count", "one", 'count: integer, not "one"'],
    ["on", "yes", 'on: boolean, not "yes"'],
    ["where", "[1]", 'where: object, not "[1]"'],
    ["sizes", "big", 'sizes: integer, not "big"'],
    ["colour", "blue", 'colour: one of red, green, not "blue"'],
  ])("%s=%s is refused by name", (name, text, words) => {
    expect(() => toolArguments([[name, text]], SCHEMA)).toThrow(new TypeError(words));
  });

  it("the same name again adds to a list, and takes the place of anything else", () => {
    const pairs = [
      ["tags", "a"],
      ["text", "a"],
      ["tags", "b"],
      ["text", "b"],
    ] as const;
    expect(toolArguments(pairs, SCHEMA)).toEqual({ tags: ["a", "b"], text: "b" });
  });

  it("without a schema: JSON where it is JSON, text otherwise", () => {
    expect(
      toolArguments(
        [
          ["a", "1"],
          ["b", "x"],
        ],
        undefined,
      ),
    ).toEqual({ a: 1, b: "x" });
  });

  it("a name that means something to JavaScript is a name", () => {
    const args = toolArguments(
      [
        ["__proto__", '{"evil":1}'],
        ["constructor", "x"],
      ],
      SCHEMA,
    );
    expect(JSON.stringify(args)).toBe('{"__proto__":{"evil":1},"constructor":"x"}');
    expect(Object.getPrototypeOf(args)).toBe(Object.prototype);
  });

  it("a schema that is none takes anything", () => {
    for (const schema of [undefined, null, true, "x", { $ref: "#/nowhere" }])
      expect(typed("5", schema)).toBe(5);
  });
});
