import { describe, expect, it } from "vitest";
import { clientText } from "../../src/log-text.ts";

describe("a client's own text in an event", () => {
  it.each<[given: string | undefined, said: string | undefined]>([
    [undefined, undefined],
    ["", ""],
    ["Mozilla/5.0 (X11) é😀", "Mozilla/5.0 (X11) é😀"],
    ["a\u001b[2J", "a\\u001b[2J"],
    ["\u009b2J\u0085\u007f", "\\u009b2J\\u0085\\u007f"],
    ["a\r\nb\u0000", "a\\u000d\\u000ab\\u0000"],
    ["\u2028\u2029", "\\u2028\\u2029"],
    ["x\ud800", "x\ufffd"],
  ])("%j is said as %j", (given, said) => {
    expect(clientText(given)).toBe(said);
  });

  it("has at most 256 characters", () => {
    for (const text of ["x".repeat(15_000), "\u0000".repeat(300), `${"x".repeat(255)}😀`]) {
      expect(clientText(text).length).toBeLessThanOrEqual(256);
      expect(clientText(text).isWellFormed()).toBe(true);
    }
  });
});
