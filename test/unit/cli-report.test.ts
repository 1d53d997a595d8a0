/** What the command line prints of a server's strings. */
import { describe, expect, it } from "vitest";
import { type Look, type Report, toJson, toResult, toText } from "../../src/client/cli-report.ts";

/** Clears the screen, sets the clipboard, by 7-bit and by 8-bit controls; goes back over what is there. */
const HOSTILE = "\u001b[2J\u001b]52;c;ZXZpbA==\u0007 \u009b2J \u0008\u007f\u0000 \u202eevil\u202c";
const BREAK = "name\n[ERROR] forged\r\nClosed.\rClosed.";

const PLAIN: Look = { paint: (_, text) => text, clock: undefined, schemas: true };

const shownOf = (report: Report): string => `${toText(report, PLAIN)}${toResult(report, PLAIN) ?? ""}`;

const reports = (text: string): Report[] => [
  {
    type: "connected",
    url: "http://localhost/mcp",
    era: "session",
    protocolVersion: text,
    sessionId: text,
    server: { name: text, version: text },
    capabilities: { [text]: {} },
    ms: 1,
  },
  { type: "tools", tools: [{ name: text, description: text, inputSchema: { [text]: text } }] },
  { type: "progress", progress: 1, message: text },
  { type: "notification", method: text, params: { text } },
  {
    type: "result",
    tool: "echo",
    isError: false,
    content: [{ type: text, data: "", mimeType: text }],
    ms: 1,
  },
  { type: "error", reason: "http", message: text, status: 500 },
  { type: "ping-failed", message: text },
  { type: "dropped", stream: "call", cause: new Error(text) },
  { type: "interrupted", ids: [1], reason: text },
  { type: "resumed", stream: "call", attempts: 1, downMs: 1, eventId: text },
  { type: "gap", stream: "standalone", eventId: text },
];

describe("words", () => {
  it.each(reports(HOSTILE))("$type: no control of the server's reaches the terminal", (report) => {
    expect(shownOf(report)).not.toMatch(/[^\P{Cc}\n]|[\u202a-\u202e]/u);
    expect(shownOf(report)).toContain("evil");
  });

  it.each(reports(BREAK))("$type: a text with line breaks makes no lines that look like ours", (report) => {
    const plain = reports("name").find(({ type }) => type === report.type) as Report;
    expect(shownOf(report).split("\n")).toHaveLength(shownOf(plain).split("\n").length);
  });

  it("a result's text keeps its lines and tabs, and nothing else that moves the cursor", () => {
    const text = `a\tb\nc\r\nd\re${HOSTILE}`;
    const shown = toResult(
      { type: "result", tool: "t", isError: false, content: [{ type: "text", text }], ms: 1 },
      PLAIN,
    );
    expect(shown).toContain(
      String.raw`d\u000de\u001b[2J\u001b]52;c;ZXZpbA==\u0007 \u009b2J \u0008\u007f\u0000 \u202eevil\u202c`,
    );
    expect(shown?.startsWith("a\tb\nc\n")).toBe(true);
  });

  it("a result of blocks that are no text, and one that is structured alone", () => {
    const result = { type: "result", tool: "t", isError: false, ms: 1 } as const;
    const image = { type: "image", data: "AAAA", mimeType: "image/png" };
    expect(toResult({ ...result, content: [image] }, PLAIN)).toBe("[image image/png, 3 bytes]");
    expect(toResult({ ...result, content: [], structuredContent: { a: 1 } }, PLAIN)).toBe('{"a":1}');
  });

  it("colours are around the server's words, never within them, and each report has its time", () => {
    const paint: Look["paint"] = (style, text) => `<${style}>${text}</>`;
    const look: Look = { paint, clock: "12:03:11", schemas: false };
    const tools = [{ name: "t\u001b[1m", description: "does it\nat length", inputSchema: {} }];
    expect(toText({ type: "tools", tools }, look)).toBe(
      String.raw`<dim>12:03:11  </><cyan>t\u001b[1m</>  does it`,
    );
    const failed: Report = { type: "error", reason: "http", message: "no", status: 404, hint: "Is it x?" };
    expect(toText(failed, look)).toBe("<dim>12:03:11  </><red>[ERROR]</> no\n          Is it x?");
  });

  it("a name of any length takes no more than its line", () => {
    const tools = [{ name: "t", description: "x".repeat(100_000), inputSchema: {} }];
    expect(toText({ type: "tools", tools }, { ...PLAIN, schemas: false }).length).toBeLessThan(300);
  });

  it("as JSON all of it is there, escaped", () => {
    const line = toJson({ type: "error", reason: "http", message: HOSTILE, status: 500 });
    expect(JSON.parse(line)).toMatchObject({ message: HOSTILE });
    expect(line).not.toContain("\u001b");
  });
});
