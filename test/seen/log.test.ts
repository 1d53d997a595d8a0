/** The log as people read it: one line a call, and nothing that a terminal would obey. */
import { expect, test, vi } from "vitest";
import type { HoldfastEvent } from "../../src/index.ts";
import { prettyLine } from "../../src/log.ts";
import { resolveOptions } from "../../src/options.ts";

const call = {
  type: "call.ended",
  level: "info",
  time: new Date(2026, 10, 25, 12, 3, 11).getTime(),
  call: "a.1",
  method: "tools/call",
  name: "echo",
  session: "9f3a0b1c",
  era: "session",
  transport: "streamable",
  version: "2025-11-25",
  principal: "p",
  client: "claude-code",
  clientVersion: "2.1",
  attempts: 1,
  outcome: "ok",
  ms: 4,
  streamed: false,
  bytes: 10,
} as const satisfies HoldfastEvent;

test("a call is one line", () => {
  expect(prettyLine(call)).toBe(
    "\u001b[39m12:03:11  tools/call echo  4 ms  ok  claude-code 2.1  9f3a0b1c…\u001b[0m",
  );
  const failed = prettyLine({ ...call, outcome: -32602 });
  expect([failed.startsWith("\u001b[33m"), failed.includes("-32602")]).toEqual([true, true]);
  expect(prettyLine({ ...call, session: undefined, era: "modern" })).toContain("modern");
});

test("what is lost is a line with its fields; a stack stands below it", () => {
  const gap = { type: "replay.gap", level: "warn", time: call.time, session: "9f3a0b1c", missed: 3 } as const;
  expect(prettyLine(gap)).toBe("\u001b[33m12:03:11  replay.gap  9f3a0b1c…  missed 3\u001b[0m");
  const threw = {
    type: "tool.threw",
    level: "warn",
    time: call.time,
    session: undefined,
    tool: "t",
    reference: undefined,
  } as const;
  expect(prettyLine({ ...threw, message: "away", stack: "Error: away\n    at f" })).toContain(
    "\nError: away\n    at f",
  );
});

test("no control character gets through, wherever it comes from", () => {
  const hostile = "\u001b[2J\u0007\r\n\u009b\u2028";
  const threw = {
    type: "tool.threw",
    level: "warn",
    time: call.time,
    session: hostile,
    tool: hostile,
    reference: undefined,
  } as const;
  for (const event of [
    { ...call, name: hostile, client: hostile, method: hostile },
    { ...threw, message: hostile, stack: `Error\n${hostile.replace("\n", "")}` },
  ] satisfies HoldfastEvent[]) {
    const inside = prettyLine(event).slice(5, -4).replaceAll("\n", "");
    expect(inside).not.toMatch(/[\p{Cc}\u2028]/u);
  }
});

test("`pretty` is for people, and whatever is no terminal gets JSON", () => {
  const info = vi.spyOn(console, "info").mockImplementation(() => {});
  for (const logFormat of ["pretty", "json", "auto"] as const) {
    resolveOptions({ logFormat }).emit("session.revived", { session: "9f3a0b1c" });
  }
  const lines = info.mock.calls.map(([line]) => String(line));
  info.mockRestore();
  expect(lines[0]).toMatch(/session\.revived {2}9f3a0b1c…/);
  for (const line of lines.slice(1)) expect(JSON.parse(line)).toMatchObject({ type: "session.revived" });
});
