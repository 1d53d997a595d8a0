/** The table of clients' quirks, and what the documentation says of it. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { JsonRpcMessage } from "../../src/jsonrpc/messages.ts";
import { asMeant, BEGINS_AFTER_MS, QUIRKS } from "../../src/http/quirks.ts";

type Name = keyof typeof QUIRKS;

const matching = (headers: Record<string, string>): Name[] =>
  (Object.keys(QUIRKS) as Name[]).filter((name) => QUIRKS[name](new Headers(headers)));

const LATEST = { "MCP-Protocol-Version": "2025-11-25" };

describe("who is told by the headers", () => {
  test.each<[what: string, headers: Record<string, string>, quirks: Name[]]>([
    ["a client of today", LATEST, ["needsStream"]],
    [
      "a version header that a proxy has doubled",
      { "MCP-Protocol-Version": "2025-11-25, 2025-11-25" },
      ["needsStream"],
    ],
    [
      "a client of 2025-06-18",
      { "MCP-Protocol-Version": "2025-06-18" },
      ["breaks", "wholeCalls", "needsStream"],
    ],
    ["a client that says no version", {}, ["breaks", "wholeCalls", "needsStream"]],
    [
      "Java",
      { ...LATEST, "User-Agent": "Java-http-client/17.0.9" },
      ["noRetry", "wholeCalls", "needsStream"],
    ],
    [
      "the AI SDK",
      { ...LATEST, "User-Agent": "ai-sdk/2.0.99 runtime/node.js/24" },
      ["breaks", "wholeCalls", "lostByStatus", "needsStream"],
    ],
    [
      "the AI SDK after an agent of one's own",
      { ...LATEST, "User-Agent": "mine/1 ai-sdk/2.0.99" },
      ["breaks", "wholeCalls", "lostByStatus", "needsStream"],
    ],
    [
      "one that is named alike",
      { ...LATEST, "User-Agent": "not-ai-sdk/2 Java-http-client/1" },
      ["needsStream"],
    ],
    ["Go's SDK", { ...LATEST, "User-Agent": "Go-http-client/1.1" }, ["capitals", "needsStream"]],
    [
      "mcp-go",
      { ...LATEST, "User-Agent": "Go-http-client/1.1", "Content-Type": "application/json" },
      ["notesPlace", "capitals", "needsStream"],
    ],
    [
      "Go with a place",
      { ...LATEST, "User-Agent": "Go-http-client/2.0", "Content-Type": "x/y", "Last-Event-ID": "a.1" },
      ["capitals", "needsStream"],
    ],
    ["Python's SDK 1.x", { ...LATEST, "User-Agent": "python-httpx/0.28.1" }, ["countsBreaks", "needsStream"]],
    [
      "Python's SDK 2.x",
      { ...LATEST, "User-Agent": "python-httpx2/2.16.2" },
      ["countsBreaks", "needsStream"],
    ],
    [
      "Python's SDK before 1.23",
      { "MCP-Protocol-Version": "2025-06-18", "User-Agent": "python-httpx/0.28.1" },
      ["breaks", "wholeCalls", "needsStream"],
    ],
    ["a browser", { ...LATEST, Origin: "https://a.example", "Sec-Fetch-Mode": "cors" }, []],
    ["Node's fetch", { ...LATEST, "Sec-Fetch-Mode": "cors", "User-Agent": "node" }, ["needsStream"]],
  ])("%s", (_, headers, quirks) => expect(matching(headers)).toEqual(quirks));
});

describe("elicitation in capitals", () => {
  const initialize = (elicitation: unknown): JsonRpcMessage => ({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: { roots: {}, elicitation } },
  });

  test.each<[announced: unknown, meant: unknown]>([
    [{ Form: null, URL: null }, {}],
    [{ Form: {}, URL: null }, { form: {} }],
    [{ Form: null, URL: {} }, { url: {} }],
    [
      { Form: {}, URL: {}, other: 1 },
      { form: {}, url: {}, other: 1 },
    ],
    [{ Form: [] }, {}],
  ])("%j means %j", (announced, meant) => expect(asMeant(initialize(announced))).toEqual(initialize(meant)));

  test.each([undefined, null, {}, { form: {} }, { url: {} }, "Form", ["Form"]])("%j is left alone", (said) =>
    expect(asMeant(initialize(said))).toBeUndefined(),
  );
});

test("each says who, what is done and where that is reported, and docs/eras.md has a row for it", () => {
  const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  const source = read("src/http/quirks.ts");
  const text = read("docs/eras.md");
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  for (const name of Object.keys(QUIRKS)) {
    const comment = new RegExp(`/\\*\\*((?:(?!\\*/).)*)\\*/\\s*${name}: `, "s").exec(source)?.[1] ?? "";
    const reports = [...comment.matchAll(/@see (https:\S+)/g)].map(([, url = ""]) => url);
    expect(comment).toMatch(/\S.*\bDone: \S/s);
    expect(reports.length).toBeGreaterThan(0);
    const row = rows.find((line) => line.startsWith(`| \`${name}\``)) ?? "";
    for (const report of reports) expect(row).toContain(report);
  }
  expect(text).toContain(`${BEGINS_AFTER_MS} ms`);
});
